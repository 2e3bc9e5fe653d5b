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

// What is behind the last landmark in a history that is lost may be a hazard, though it survived:
// few branches should be.
constexpr auto kPause = 100ms;
constexpr int kPausesMax = 10;  // between two landmarks; fewer when so many branches are behind:
constexpr int kBehindMax = 32;
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
      "SELECT wal_position, timeline, server_started, outcome_rows, left_at FROM assent.landmark"
      " WHERE epoch = $1::bigint",
      {to_string(epoch)}};
}

Landmark read_landmark(const std::vector<Value>& row) {
  return {parse_lsn(row.at(0).value()), static_cast<std::uint32_t>(to_u64(row.at(1))),
          row.at(2).value(), row.at(3) == "t", row.at(4) ? parse_lsn(*row.at(4)) : 0};
}

// A server that was promoted since its start tells where it left the old timeline, and so exactly
// what was lost of it: nothing behind a synchronous standby.
// 1. A server has received WAL by streaming since it was started, and is none that recovers now: it
//    was promoted since. The end of what it has replayed stands still from then on: that is where
//    the new timeline begins. A server that was only restarted has received nothing.
// 2. The landmark was written on timeline t, and is in this history; so the history has been on t.
//    This timeline is t + 1, and the one before it is therefore t: all of t up to the new beginning
//    is here, what that life did there included.
// 3. Whether that life worked in what the standby has of t up to there is another question: its
//    primary may have been a restored copy that had grown, and none of that is that life's. Only
//    the log can judge that, by the landmark that it knows (survived_of in participants.cc). So the
//    landmark stays what it is, and the end of the timeline is written down beside it.
// 4. The timeline has one end in this history: what an earlier agent has written down here stands.
const std::string kNoteSwitch =
    "UPDATE assent.landmark SET left_at = pg_last_wal_replay_lsn()"
    " WHERE epoch = $1::bigint AND timeline + 1 = $2::integer AND left_at IS NULL"
    " AND pg_last_wal_receive_lsn() IS NOT NULL AND wal_position < pg_last_wal_replay_lsn()";

asio::awaitable<Result<StoredLandmark>> stored_landmark(std::shared_ptr<Context> context,
                                                        std::shared_ptr<Control> control,
                                                        Epoch epoch) {
  std::vector<Value> parameters{to_string(epoch), std::to_string(context->position->timeline)};
  auto noted = co_await control->query(kNoteSwitch, std::move(parameters));
  if (!noted) co_return tl::unexpected(noted.error());
  Command query = landmark_query(epoch);
  auto found = co_await control->query(std::move(query.sql), std::move(query.parameters));
  if (!found) co_return tl::unexpected(found.error());
  if (found->rows.empty()) co_return StoredLandmark{};
  const Landmark landmark = read_landmark(found->rows.front());
  co_return StoredLandmark{landmark.wal_position, landmark.left_at};
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
  ++behind_;
  if (std::exchange(writing_, true)) return;
  spawn(context_->loop, [self = shared_from_this()] { return self->write(); });
}

asio::awaitable<void> Landmarks::write() {
  while (due_ > 0 && !context_->closed) {
    --due_;
    behind_ = 0;
    auto written = co_await write_landmark(context_, control_);
    if (!written) {
      ++due_;
      log::debug("a landmark was not written", {{"reason", written.error().message}});
    }
    if (buggify(Point::kLandmarkSoon)) continue;
    co_await wait();
  }
  writing_ = false;
}

asio::awaitable<void> Landmarks::wait() {
  for (int pauses = 0; pauses < kPausesMax && !context_->closed; ++pauses) {
    co_await pause(context_->loop, kPause);
    if (behind_ >= kBehindMax) co_return;
  }
}

}  // namespace assent::postgres
