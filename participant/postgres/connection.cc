#include "participant/postgres/connection.h"

#include <string_view>

namespace assent::postgres {
namespace {

constexpr std::size_t kParametersMax = 65'535;  // a 16-bit count in the protocol

bool has_nul(std::string_view text) {
  return text.find('\0') != std::string_view::npos;
}

}  // namespace

std::optional<Error> unsendable(const Command& command) {
  if (command.parameters.size() > kParametersMax) {
    return Error{ErrorCode::kInvalidArgument, "a statement takes at most 65535 parameters"};
  }
  bool nul = has_nul(command.sql);
  for (const Value& value : command.parameters) nul = nul || (value && has_nul(*value));
  if (nul) {
    return Error{ErrorCode::kInvalidArgument,
                 "PostgreSQL takes no zero byte in a statement or a parameter"};
  }
  return std::nullopt;
}

}  // namespace assent::postgres
