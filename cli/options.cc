#include "cli/options.h"

#include <unistd.h>

#include <cstdlib>

#include "runtime/rpc/address.h"

namespace assent::cli {
namespace {

std::string login_name() {
  const char* const user = std::getenv("USER");
  if (user != nullptr && *user != '\0') return user;
  return "uid " + std::to_string(getuid());
}

}  // namespace

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

void add_operator(CLI::App& command, std::string& operator_name) {
  operator_name = login_name();
  command.add_option("--operator", operator_name,
                     "who you are; stands in the log (default: your login name)");
}

}  // namespace assent::cli
