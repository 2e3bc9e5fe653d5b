#include "cli/options.h"

#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <system_error>

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

void add_agents(CLI::App& command, std::map<std::string, std::string>& agents) {
  command
      .add_option_function<std::vector<std::string>>(
          "--agent",
          [&agents](const std::vector<std::string>& given) {
            for (const std::string& one : given) {
              const std::size_t equals = one.find('=');
              agents[one.substr(0, equals)] = one.substr(equals + 1);
            }
          },
          "admin port of a participant's agent, \"NAME=HOST:PORT\", where the leader does not tell "
          "it; several may be named")
      ->check([](const std::string& text) {
        const std::size_t equals = text.find('=');
        if (equals == std::string::npos || equals == 0) {
          return std::string("expected NAME=HOST:PORT");
        }
        const auto reachable = rpc::check_reachable(text.substr(equals + 1));
        return reachable ? std::string() : reachable.error().message;
      });
}

std::optional<Millis> parse_duration(const std::string& text) {
  std::int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, wrong] = std::from_chars(text.data(), end, number);
  if (wrong != std::errc() || number < 0 || number > 1'000'000'000) return std::nullopt;
  const std::string unit(rest, end);
  if (unit.empty() || unit == "s") return Millis(number * 1'000);
  if (unit == "m") return Millis(number * 60'000);
  if (unit == "h") return Millis(number * 3'600'000);
  if (unit == "ms") return Millis(number);
  return std::nullopt;
}

void add_operator(CLI::App& command, std::string& operator_name) {
  operator_name = login_name();
  command.add_option("--operator", operator_name,
                     "who you are; stands in the log (default: your login name)");
}

}  // namespace assent::cli
