#include "participant/postgres/landmarks.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/buggify.h"
#include "participant/postgres/awaiting.h"
#include "runtime/logging.h"

namespace assent::postgres {
namespace {

using namespace std::chrono_literals;

constexpr auto kPause = 1s;
constexpr int kWritesAfterTheLast = 2;

// The position is read before the row is written, so the row's commit is behind it in the WAL.
const std::string kWrite =
    std::string(
        "INSERT INTO assent.landmark (epoch, wal_position, timeline, outcome_rows, server_started)"
        " VALUES ($1::bigint, pg_current_wal_insert_lsn(), $2::integer, $3::boolean, ") +
    kPostmasterStarted +
    ") ON CONFLICT (epoch) DO UPDATE SET wal_position = excluded.wal_position,"
    " server_started = excluded.server_started RETURNING wal_position";

}  // namespace

Command landmark_query(Epoch epoch) {
  return {
      "SELECT wal_position, timeline, server_started, outcome_rows FROM assent.landmark"
      " WHERE epoch = $1::bigint",
      {to_string(epoch)}};
}

Landmark read_landmark(const std::vector<Value>& row) {
  return {parse_lsn(row.at(0).value()), static_cast<std::uint32_t>(to_u64(row.at(1))),
          row.at(2).value(), row.at(3) == "t"};
}

// On a server that was promoted since its start the landmark of the last life before can be moved
// up to where it left the old timeline, and so tells exactly what was lost: nothing behind a
// synchronous standby.
// 1. A server has received WAL by streaming since it was started, and is none that recovers now: it
//    was promoted since. The end of what it has replayed stands still from then on: that is where
//    the new timeline begins. A server that was only restarted has received nothing.
// 2. The landmark was written on timeline t, and is in this history; so the history has been on t.
//    This timeline is t + 1, and the one before it is therefore t: all of t up to the new beginning
//    is here, what that life did there included.
// 3. Who has the row that is written now has all that is before it, too. It stays a landmark.
const std::string kMoveToSwitch =
    "UPDATE assent.landmark SET wal_position = pg_last_wal_replay_lsn()"
    " WHERE epoch = $1::bigint AND timeline + 1 = $2::integer"
    " AND pg_last_wal_receive_lsn() IS NOT NULL AND wal_position < pg_last_wal_replay_lsn()";

asio::awaitable<Result<std::uint64_t>> stored_landmark(std::shared_ptr<Context> context,
                                                       std::shared_ptr<Control> control,
                                                       Epoch epoch) {
  std::vector<Value> parameters{to_string(epoch), std::to_string(context->position->timeline)};
  auto moved = co_await control->query(kMoveToSwitch, std::move(parameters));
  if (!moved) co_return tl::unexpected(moved.error());
  Command query = landmark_query(epoch);
  auto found = co_await control->query(std::move(query.sql), std::move(query.parameters));
  if (!found) co_return tl::unexpected(found.error());
  if (found->rows.empty()) co_return std::uint64_t{0};
  co_return read_landmark(found->rows.front()).wal_position;
}

asio::awaitable<Result<void>> write_landmark(std::shared_ptr<Context> context,
                                             std::shared_ptr<Control> control) {
  std::vector<Value> parameters{to_string(*context->epoch),
                                std::to_string(context->position->timeline),
                                context->options.outcome_row ? "t" : "f"};
  auto written = co_await control->query(kWrite, std::move(parameters));
  if (!written) co_return tl::unexpected(written.error());
  const std::uint64_t position = parse_lsn(written->rows.at(0).at(0).value());
  context->landmark = std::max(context->landmark, position);
  co_return Result<void>();
}

Landmarks::Landmarks(std::shared_ptr<Context> context, std::shared_ptr<Control> control)
    : context_(std::move(context)), control_(std::move(control)) {}

void Landmarks::follow() {
  if (!context_->epoch || context_->closed) return;
  due_ = kWritesAfterTheLast;
  if (std::exchange(writing_, true)) return;
  spawn(context_->loop, [self = shared_from_this()] { return self->write(); });
}

asio::awaitable<void> Landmarks::write() {
  while (due_ > 0 && !context_->closed) {
    --due_;
    auto written = co_await write_landmark(context_, control_);
    if (!written) {
      ++due_;
      log::debug("a landmark was not written", {{"reason", written.error().message}});
    }
    if (buggify(Point::kLandmarkSoon)) continue;
    co_await pause(context_->loop, kPause);
  }
  writing_ = false;
}

}  // namespace assent::postgres
