#include "runtime/failpoint.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "base/check.h"

namespace assent::failpoints {
namespace {

std::string all_names() {
  std::string out;
  for (const std::string_view name : kFailpoints) {
    if (!out.empty()) out += ", ";
    out += name;
  }
  return out;
}

tl::unexpected<Error> refused(const std::string& why) {
  return failure(ErrorCode::kInvalidArgument, "ASSENT_FAILPOINT: " + why);
}

// Cuts what stands before the separator, or all, off the front of the text.
std::string_view cut(std::string_view& text, char separator) {
  const std::size_t end = text.find(separator);
  const std::string_view out = text.substr(0, end);
  text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  return out;
}

Result<void> parse_option(std::string_view option, Plan& plan) {
  if (option == "kill") {
    plan.action = Plan::Action::kKill;
    return {};
  }
  if (option == "stop") {
    plan.action = Plan::Action::kStop;
    return {};
  }
  const char* const end = option.data() + option.size();
  const auto [rest, error] = std::from_chars(option.data(), end, plan.nth);
  if (error == std::errc() && rest == end && plan.nth > 0) return {};
  return refused("'" + std::string(option) + "' is no number of a passage, kill or stop");
}

#if ASSENT_FAILPOINTS
Plan armed;
std::size_t passed = 0;  // of the path
int hits = -1;           // the file of hits

const char* orders = nullptr;  // the file of orders

Result<void> open_hits() {
  const char* const path = std::getenv("ASSENT_FAILPOINT_HITS");
  if (path == nullptr) return refused("name the file of hits in ASSENT_FAILPOINT_HITS");
  hits = ::open(path, O_WRONLY | O_CREAT | O_APPEND | O_SYNC | O_CLOEXEC, 0644);
  if (hits >= 0) return {};
  return refused(std::string(path) + " cannot be opened: " + std::strerror(errno));
}

void obey(Plan plan) {
  armed = std::move(plan);
  passed = 0;
  awaited = armed.path.empty() ? kFailpoints.size() : armed.path.front();
}

// In the order that makes the acknowledgement true.
void on_order(int /*signal*/) {
  const int error = errno;
  ordered.store(true, std::memory_order_relaxed);
  constexpr std::string_view kLine = "ordered\n";
  // A line that is not written is no acknowledgement, and is missed.
  [[maybe_unused]] const auto written = ::write(hits, kLine.data(), kLine.size());
  errno = error;
}

Result<void> take_orders() {
  orders = std::getenv("ASSENT_FAILPOINT_ORDERS");
  if (orders == nullptr) return {};
  struct sigaction action = {};
  action.sa_handler = on_order;
  action.sa_flags = SA_RESTART;
  if (::sigaction(SIGUSR2, &action, nullptr) == 0) return {};
  return refused(std::string("SIGUSR2 cannot be handled: ") + std::strerror(errno));
}

void take_order() {
  std::string text;
  std::getline(std::ifstream(orders), text);
  if (text.empty()) return obey({});
  auto plan = parse(text);
  CHECK(plan.has_value(), plan.error().message);
  obey(std::move(*plan));
}

void hit() {
  const std::string line = std::string(kFailpoints.at(armed.path.back())) + '\n';
  CHECK(::write(hits, line.data(), line.size()) == static_cast<ssize_t>(line.size()),
        "a hit that is not written down proves nothing");
  ::kill(::getpid(), armed.action == Plan::Action::kKill ? SIGKILL : SIGSTOP);
}
#endif

}  // namespace

Result<Plan> parse(std::string_view text) {
  Plan plan;
  std::string_view options = text;
  std::string_view names = cut(options, ':');
  while (!names.empty()) {
    const std::string_view name = cut(names, ',');
    const std::size_t index = Failpoint::find(name);
    if (index == kFailpoints.size()) {
      return refused("there is no '" + std::string(name) + "'; there are " + all_names());
    }
    plan.path.push_back(index);
  }
  if (plan.path.empty()) return refused("it names none; there are " + all_names());
  while (!options.empty()) {
    if (auto taken = parse_option(cut(options, ':'), plan); !taken) {
      return tl::unexpected(taken.error());
    }
  }
  return plan;
}

Result<void> arm() {
  const char* const text = std::getenv("ASSENT_FAILPOINT");
  if (text == nullptr && std::getenv("ASSENT_FAILPOINT_ORDERS") == nullptr) return {};
  auto plan = text != nullptr ? parse(text) : Result<Plan>(Plan());
  if (!plan) return tl::unexpected(plan.error());
#if ASSENT_FAILPOINTS
  if (auto opened = open_hits(); !opened) return opened;
  obey(std::move(*plan));
  return take_orders();
#else
  return refused("this program was built without failpoints (CMake option ASSENT_FAILPOINTS)");
#endif
}

#if ASSENT_FAILPOINTS
void pass(std::size_t point) {
  if (ordered.exchange(false, std::memory_order_relaxed)) take_order();
  if (point != awaited) return;
  const bool last = passed + 1 == armed.path.size();
  if (last && --armed.nth > 0) return;
  if (!last) {
    awaited = armed.path[++passed];
    return;
  }
  awaited = kFailpoints.size();
  hit();
}
#endif

}  // namespace assent::failpoints
