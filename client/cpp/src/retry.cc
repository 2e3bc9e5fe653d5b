#include "client/cpp/src/retry.h"

#include <string>

#include "base/check.h"
#include "client/cpp/src/pause.h"
#include "runtime/process.h"

namespace assent::client {
namespace {

constexpr std::int32_t kAttemptsMax = 1'000;

CommitResult refused(std::int32_t attempts_max) {
  return {.state = CommitState::kAborted,
          .attempts = 0,
          .reason = Error{ErrorCode::kInvalidArgument,
                          "option attempts_max is " + std::to_string(attempts_max) +
                              ", but goes from 1 to " + std::to_string(kAttemptsMax)}};
}

}  // namespace

bool is_conflict(const Error& error) {
  return error.code == ErrorCode::kSql && error.sql &&
         (error.sql->sqlstate == "40001" || error.sql->sqlstate == "40P01");
}

CommitResult with_retries(const RetryOptions& retry, Millis within,
                          const std::function<Attempt()>& attempt) {
  if (retry.attempts_max < 1 || retry.attempts_max > kAttemptsMax) {
    return refused(retry.attempts_max);
  }
  const MonoTime deadline = process::monotonic_now() + within;
  Backoff backoff;
  for (std::int32_t number = 1;; ++number) {
    auto [result, again] = attempt();
    CHECK(!again || result.state == CommitState::kAborted, "only what surely ended is run again");
    result.attempts = static_cast<std::size_t>(number);
    if (!again || number == retry.attempts_max || !pause(backoff, deadline)) return result;
  }
}

}  // namespace assent::client
