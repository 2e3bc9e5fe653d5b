#include "integration/workload/recorder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "integration/workload/admin.h"

namespace assent::workload {
namespace {

using testing::ElementsAre;
using testing::Pair;

CommitResult ended(CommitState state, std::optional<Error> reason = {}) {
  return {.state = state, .transaction = "some id", .reason = std::move(reason)};
}

TEST(Recorder, CountsEachOutcomeAndItsReason) {
  const auto start = Clock::now();
  Recorder recorder(start);
  Error deadlock{ErrorCode::kSql, "deadlock detected"};
  deadlock.sql.emplace().sqlstate = "40P01";
  const Error lost{ErrorCode::kOutcomeUnknown, "no answer"};

  recorder.record(ended(CommitState::kCommitted), start);
  recorder.record(ended(CommitState::kAborted, deadlock), start);
  recorder.record(ended(CommitState::kUnknown, lost), start);

  const Tally total = recorder.total();
  EXPECT_EQ(total.committed, 1U);
  EXPECT_EQ(total.aborted, 1U);
  EXPECT_EQ(total.unknown, 1U);
  EXPECT_EQ(total.latency_us.count(), 1U);
  EXPECT_THAT(total.errors, ElementsAre(Pair("OUTCOME_UNKNOWN", 1), Pair("SQL 40P01", 1)));
  EXPECT_THAT(recorder.unknown_transactions(), ElementsAre("some id"));
}

TEST(Recorder, CountsCommitsInOnePhase) {
  const auto start = Clock::now();
  Recorder recorder(start);
  auto result = ended(CommitState::kCommitted);
  recorder.record(result, start);
  result.one_phase = true;
  recorder.record(result, start);
  EXPECT_EQ(recorder.take_interval().one_phase, 1U);
  EXPECT_EQ(recorder.total().one_phase, 1U);
  EXPECT_EQ(recorder.total().committed, 2U);
}

TEST(Recorder, KeepsTheTimesWithoutACommit) {
  const auto start = Clock::now() - std::chrono::seconds(1);
  Recorder recorder(start, std::chrono::milliseconds(900));
  recorder.record(ended(CommitState::kAborted), start);
  EXPECT_TRUE(recorder.take_stalls().empty()) << "an abort ends none";

  recorder.record(ended(CommitState::kCommitted), start);
  recorder.record(ended(CommitState::kCommitted), start);

  const auto stalls = recorder.take_stalls();
  ASSERT_EQ(stalls.size(), 1U);
  EXPECT_EQ(stalls[0].began, start);
  EXPECT_GE(stalls[0].ended - stalls[0].began, std::chrono::seconds(1));
  EXPECT_TRUE(recorder.take_stalls().empty());
}

TEST(Recorder, TellsIntervalsApartAndKeepsTheTotal) {
  const auto start = Clock::now();
  Recorder recorder(start);
  recorder.record(ended(CommitState::kCommitted), start);
  EXPECT_EQ(recorder.take_interval().committed, 1U);
  recorder.record(ended(CommitState::kCommitted), start);
  recorder.record(ended(CommitState::kCommitted), start);
  EXPECT_EQ(recorder.take_interval().committed, 2U);
  EXPECT_EQ(recorder.take_interval().committed, 0U);
  EXPECT_EQ(recorder.total().committed, 3U);
}

TEST(Recorder, TheLongestGapReachesToTheEnd) {
  using std::chrono::hours;
  const auto start = Clock::now();
  Recorder recorder(start - hours(2));
  recorder.record(ended(CommitState::kCommitted), start);
  EXPECT_GE(recorder.longest_gap(start), hours(2));
  EXPECT_GE(recorder.longest_gap(start + hours(5)), hours(4));
}

TEST(Recorder, AbortsDoNotShortenAGap) {
  const auto start = Clock::now();
  Recorder recorder(start - std::chrono::hours(2));
  recorder.record(ended(CommitState::kAborted), start);
  EXPECT_GE(recorder.longest_gap(start), std::chrono::hours(2));
}

TEST(Counters, AreComparedWithinOneLifeOnly) {
  const ProcessStatus before{.pid = 17,
                             .counters = {{"committed", 100}, {"log_flushes", 10}, {"driven", 4}}};
  const ProcessStatus after{.pid = 17,
                            .counters = {{"committed", 150}, {"log_flushes", 13}, {"driven", 2}}};
  EXPECT_THAT(difference(before, after),
              ElementsAre(Pair("committed", 50), Pair("log_flushes", 3)));

  const ProcessStatus restarted{.pid = 18, .counters = {{"committed", 20}}};
  EXPECT_THAT(difference(before, restarted), ElementsAre(Pair("committed", 20)));
}

}  // namespace
}  // namespace assent::workload
