#include "cli/options.h"

#include "runtime/rpc/address.h"

namespace assent::cli {

const CLI::Validator& reachable_address() {
  static const CLI::Validator validator(
      [](const std::string& text) {
        const auto reachable = rpc::check_reachable(text);
        return reachable ? std::string() : reachable.error().message;
      },
      "HOST:PORT");
  return validator;
}

void add_at(CLI::App& command, std::vector<std::string>& at) {
  command.add_option("--at", at, "admin port of a replica, \"host:port\"; several may be named")
      ->required()
      ->check(reachable_address());
}

}  // namespace assent::cli
