// What every program of ours does around its event loop: exit codes, signals, clocks, randomness.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/time.h"

namespace boost::asio {
class io_context;
}

namespace assent::process {

// Exit codes of all programs; systemd units and people rely on them.
inline constexpr int kExitOk = 0;
inline constexpr int kExitFailure = 1;  // it ran and could not go on; the last log line says why
inline constexpr int kExitUsage = 2;    // flags or configuration
inline constexpr int kExitDisplaced =
    3;  // another life serves; must not be restarted by itself (R16)

// Calls `stop` on the first SIGTERM or SIGINT; a second one ends the process at once, with exit
// code 128 + its number. SIGPIPE is ignored from now on. The returned object keeps the handler;
// drop it to let the loop end.
class Signals {
 public:
  Signals(boost::asio::io_context& loop, std::function<void(const std::string& name)> stop);
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

// Milliseconds of this process's monotonic clock.
MonoTime monotonic_now();
// Milliseconds of Unix time by the wall clock.
std::int64_t wall_now_ms();
// 64 bits from the operating system's generator.
std::uint64_t random_u64();
// Raises the soft limit of open files to the hard one.
void raise_file_limit();

}  // namespace assent::process
