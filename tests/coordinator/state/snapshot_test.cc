// Snapshots of the state: what is handed out while entries are executed is the state as it was.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "coordinator/state/state_machine.h"

namespace assent::state {
namespace {

constexpr StateOptions kOptions{
    .retention = Millis(2'000), .forgotten_max = 60, .retention_min = Millis(200)};
constexpr std::int64_t kStart = 1'700'000'000'000;

TransactionId id_at(std::int64_t ms, std::uint64_t number) {
  return make_transaction_id(LogTime(ms), number * 7'919, number, creator_tag("test"));
}

// The chunks of a whole snapshot.
std::vector<std::string> chunks_of(StateMachine& state, std::size_t records = 3) {
  std::vector<std::string> out;
  while (auto chunk = state.next_chunk(records)) out.push_back(std::move(*chunk));
  return out;
}

std::unique_ptr<StateMachine> loaded(const std::vector<std::string>& chunks) {
  auto out = std::make_unique<StateMachine>(kOptions);
  for (const std::string& chunk : chunks) {
    const auto taken = out->load(chunk);
    EXPECT_TRUE(taken) << taken.error().message;
  }
  out->check_invariants();
  return out;
}

// Entries as a busy coordinator makes them: decisions, some doubled, forgotten later, time moving.
class Traffic {
 public:
  explicit Traffic(std::uint64_t seed) : random_(seed) {}

  Entry next() {
    now_ += static_cast<std::int64_t>(below(60));
    Entry out{LogTime(now_), {}};
    for (std::uint64_t i = below(5); i > 0; --i) out.commands.push_back(command());
    return out;
  }

 private:
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }

  Command command() {
    switch (below(13)) {
      case 0:
        return OfficeTaken{{Incarnation(1), Round(++rounds_), ReplicaId(1)}};
      case 12:
        return LandmarkNoted{"orders", {Epoch(below(9)), below(2'000)}};
      case 1:
        return enrolment();
      case 2:
      case 3:
      case 4:
        return forgotten();
      case 5:  // an id that was decided, or that is long gone
        if (!decided_.empty()) return Aborted{decided_[below(decided_.size())], 3, {}, {}};
        [[fallthrough]];
      case 6:
        if (!decided_.empty()) return heuristic();
        [[fallthrough]];
      default:
        return decision();
    }
  }

  Command heuristic() {
    const TransactionId id = decided_[below(decided_.size())];
    if (below(4) == 0) return HeuristicForgotten{id, "operator", "seen"};
    return HeuristicFound{id,
                          Outcome::kCommitted,
                          2,
                          {"orders", Epoch(1), Attempt(below(3) + 1), {9, 77, 1, 1'000}},
                          static_cast<FinishResult>(1 + below(4))};
  }

  Command decision() {
    // Ids come from before and after now, so that they are not executed in the order of their
    // times.
    const TransactionId id = id_at(now_ - static_cast<std::int64_t>(below(400)), ++numbers_);
    decided_.push_back(id);
    if (below(2) == 0) {
      return Aborted{
          id,
          1,
          Error{ErrorCode::kSql, "no", "orders", SqlError{"23505", "twice", "", "", "", 1, 0}},
          {}};
    }
    return Committed{
        id, numbers_, {{"orders", Epoch(below(2)), Attempt(numbers_), {9, 77, 1, below(2'000)}}}};
  }

  Command forgotten() {
    Forgotten out;
    for (std::uint64_t i = below(4); i > 0 && !decided_.empty(); --i) {
      out.transactions.push_back(decided_[below(decided_.size())]);
    }
    return out;
  }

  Command enrolment() {
    Enrolled life;
    life.participant = below(2) == 0 ? "orders" : "stock";
    life.nonce = "n" + std::to_string(below(50));
    life.identity = {life.participant == "orders" ? 77u : 78u, 5};
    life.timeline = 1;
    life.wal_position = static_cast<std::uint64_t>(now_ - kStart);
    life.client_address = "h:1";
    life.peer_address = "h:2";
    life.tracks_history = static_cast<Tracking>(below(4));
    if (life.tracks_history < Tracking::kLandmarks) return life;
    if (below(3) > 0) life.landmark = below(2'000);
    life.takeover = below(4) == 0;
    if (life.tracks_history == Tracking::kEveryBreak && below(2) == 0) life.left_at = below(2'000);
    return life;
  }

  std::mt19937_64 random_;
  std::int64_t now_ = kStart;
  std::uint64_t rounds_ = 0;
  std::uint64_t numbers_ = 0;
  std::vector<TransactionId> decided_;
};

TEST(Snapshot, OfANewStateIsRefusedBecauseNothingWasExecuted) {
  StateMachine state(kOptions);
  state.begin_snapshot();
  StateMachine other(kOptions);

  EXPECT_FALSE(other.load(*state.next_chunk(10)));
}

TEST(Snapshot, IsOverAfterItsLastChunk) {
  StateMachine state(kOptions);
  state.execute(Slot(1), {LogTime(kStart), {OfficeTaken{}}});
  state.begin_snapshot();

  EXPECT_EQ(chunks_of(state).size(), 1u);
  EXPECT_FALSE(state.snapshot_under_way());
}

// For many seeds: a snapshot that is handed out bit by bit between entries is the state at its
// slot, and from there the same entries lead to the same state, answer for answer.
TEST(Snapshot, IsTheStateAtItsSlotWhateverIsExecutedMeanwhile) {
  std::size_t with_records = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    Traffic traffic(seed);
    StateMachine state(kOptions);
    for (int i = 0; i < 80; ++i) state.execute(state.executed().next(), traffic.next());
    const std::uint64_t frozen = state.state_hash();
    with_records += state.record_count() > 20 ? 1 : 0;
    state.begin_snapshot();
    std::vector<std::string> chunks;
    std::vector<Entry> later;
    while (auto chunk = state.next_chunk(2)) {
      chunks.push_back(std::move(*chunk));
      later.push_back(traffic.next());
      state.execute(state.executed().next(), later.back());
    }

    const auto copy = loaded(chunks);

    ASSERT_EQ(copy->state_hash(), frozen) << "seed " << seed;
    for (const Entry& entry : later) copy->execute(copy->executed().next(), entry);
    ASSERT_EQ(copy->state_hash(), state.state_hash()) << "seed " << seed;
    copy->check_invariants();
  }
  EXPECT_LT(200u, with_records) << "the test must not be about empty states";
}

TEST(Snapshot, AnotherOneBeginsAnew) {
  Traffic traffic(7);
  StateMachine state(kOptions);
  for (int i = 0; i < 60; ++i) state.execute(state.executed().next(), traffic.next());
  state.begin_snapshot();
  state.next_chunk(2);
  state.next_chunk(2);
  for (int i = 0; i < 60; ++i) state.execute(state.executed().next(), traffic.next());

  state.begin_snapshot();

  EXPECT_EQ(loaded(chunks_of(state))->state_hash(), state.state_hash());
}

class SnapshotRefusal : public testing::Test {
 protected:
  SnapshotRefusal() {
    Traffic traffic(5);
    StateMachine state(kOptions);
    for (int i = 0; i < 60; ++i) state.execute(state.executed().next(), traffic.next());
    state.begin_snapshot();
    chunks_ = chunks_of(state);
    EXPECT_LT(3u, chunks_.size());
  }

  std::vector<std::string> chunks_;
  StateMachine target_{kOptions};
};

TEST_F(SnapshotRefusal, RecordsBeforeTheBeginning) {
  EXPECT_FALSE(target_.load(chunks_[1]));
}

TEST_F(SnapshotRefusal, ASecondBeginning) {
  ASSERT_TRUE(target_.load(chunks_[0]));
  EXPECT_FALSE(target_.load(chunks_[0]));
}

TEST_F(SnapshotRefusal, TheSameRecordsTwice) {
  ASSERT_TRUE(target_.load(chunks_[0]));
  ASSERT_TRUE(target_.load(chunks_[1]));
  EXPECT_FALSE(target_.load(chunks_[1]));
}

TEST_F(SnapshotRefusal, ANewerFormatByName) {
  std::string newer = chunks_[0];
  newer[1] = static_cast<char>(kSnapshotFormat + 1);
  const auto refused = target_.load(newer);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnsupportedVersion);
  EXPECT_EQ(
      refused.error().message,
      "a snapshot's chunk has format 7, this program reads up to 6: run the version that wrote "
      "it, or newer");
  EXPECT_EQ(target_.executed(), Slot(0)) << "nothing of it is taken in";
}

TEST_F(SnapshotRefusal, EveryChunkThatWasCutShort) {
  for (std::size_t length = 0; length < chunks_[0].size(); ++length) {
    StateMachine target(kOptions);
    EXPECT_FALSE(target.load(chunks_[0].substr(0, length))) << length;
  }
  for (std::size_t length = 2; length < 60; ++length) {
    StateMachine target(kOptions);
    ASSERT_TRUE(target.load(chunks_[0]));
    EXPECT_FALSE(target.load(chunks_[1].substr(0, length))) << length;
  }
}

TEST_F(SnapshotRefusal, ChunksOfNoKnownKind) {
  EXPECT_FALSE(target_.load(""));
  EXPECT_FALSE(target_.load("\x09 something"));
}

}  // namespace
}  // namespace assent::state
