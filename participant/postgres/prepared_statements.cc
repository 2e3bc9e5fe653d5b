#include "participant/postgres/prepared_statements.h"

#include <algorithm>

namespace assent::postgres {
namespace {

// Longer texts cost more memory at both ends than their plans save.
constexpr std::size_t kTextMax = 4'096;

}  // namespace

std::optional<PreparedStatements::Use> PreparedStatements::use(std::string_view text) {
  if (limit_ == 0 || text.size() > kTextMax) return std::nullopt;
  const auto known = texts_.find(text);
  if (known == texts_.end()) {
    if (!full()) texts_.emplace(text, Text{});
    return std::nullopt;
  }
  Text& found = known->second;
  if (found.state == State::kPreparing) return std::nullopt;
  if (found.state == State::kPrepared) return Use{found.name, false};
  found = {State::kPreparing, "assent_" + std::to_string(++names_)};
  return Use{found.name, true};
}

void PreparedStatements::prepared(const std::string& name) {
  if (Text* text = find_name(name)) text->state = State::kPrepared;
}

void PreparedStatements::refused(const std::string& name) {
  if (Text* text = find_name(name)) *text = {};
}

PreparedStatements::Text* PreparedStatements::find_name(const std::string& name) {
  const auto found =
      std::ranges::find_if(texts_, [&](const auto& entry) { return entry.second.name == name; });
  return found == texts_.end() ? nullptr : &found->second;
}

}  // namespace assent::postgres
