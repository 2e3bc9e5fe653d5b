// A replica's core over its log: what a power cut leaves of the last batch, the next life goes on
// from.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>

#include "coordinator/replica/core.h"
#include "coordinator/storage/replica_log.h"
#include "tests/coordinator/storage/storage_fixture.h"

namespace assent::storage {
namespace {

constexpr std::uint64_t kSegmentBytes = 1u << 16;
constexpr std::size_t kSector = 512;

TransactionId transaction(std::uint64_t number) {
  return make_transaction_id(LogTime(1'000'000), number, number, 1);
}

// One life of the only replica of a group, wired as a server does it.
class Life {
 public:
  Life(const std::string& directory, TestLoop& loop)
      : log_(ReplicaLogOptions{.log = {.directory = directory,
                                       .segment_bytes = kSegmentBytes,
                                       .record_bytes_max = 1u << 14,
                                       .post = loop.poster()},
                               .cluster = "demo"}),
        core_(options(), log_),
        loop_(loop) {}

  Result<void> start() {
    auto opened =
        log_.open([this](const paxos::Record& record) { core_.restore(now_, record); },
                  [this](paxos::RecordIndex through) { step(paxos::Persisted{through}); });
    if (!opened) return opened;
    core_.start(now_);
    now_.mono = now_.mono + Millis(1'000);
    step(paxos::Tick{});
    return opened;
  }

  [[nodiscard]] bool serve() {
    return loop_.run_until([this] { return core_.serving(); });
  }
  void submit(std::uint64_t number) {
    state::Committed command{transaction(number), number, {}};
    for (std::uint64_t branch = 0; branch < 4; ++branch) {
      command.branches.push_back({.participant = std::string(50, 'p') + std::to_string(branch),
                                  .epoch = Epoch(1),
                                  .attempt = Attempt(number),
                                  .evidence = {}});
    }
    step(replica::Submit{replica::CommandToken(number), std::move(command)});
    step(replica::TurnEnded{});
  }
  [[nodiscard]] bool executed(std::uint64_t number) {
    return loop_.run_until([this, number] { return executed_.contains(number); });
  }

  [[nodiscard]] const std::set<std::uint64_t>& told() const { return executed_; }
  [[nodiscard]] replica::Core& core() { return core_; }
  [[nodiscard]] ReplicaLog& log() { return log_; }

 private:
  static replica::Options options() {
    return {.paxos = {.self = ReplicaId(1),
                      .group = paxos::Group({ReplicaId(1)}),
                      .recent_bytes_max = 1},
            .state = {}};
  }
  void step(const replica::Input& input) {
    const replica::Effects out = core_.step(now_, input);
    core_.check_invariants();
    log_.append(out.persist);
    for (const replica::Executed& done : out.executed) executed_.insert(done.token.value);
  }

  ReplicaLog log_;
  replica::Core core_;
  TestLoop& loop_;
  replica::Now now_{MonoTime(5'000), LogTime(1'000'000)};
  std::set<std::uint64_t> executed_;
};

using Files = std::map<std::string, std::string>;

void put(const ScratchDirectory& directory, const Files& files) {
  for (const auto& [name, bytes] : files) write_file(directory.file(name), bytes);
}

// What a disk holds before and after the batch that a power cut tears.
struct Torn {
  Files before;
  Files after;
  std::set<std::uint64_t> told;
};

Torn tear(std::uint64_t commands, std::uint64_t last_batch) {
  const ScratchDirectory directory(memory_directory());
  TestLoop loop;
  Torn torn;
  auto life = std::make_unique<Life>(directory.path(), loop);
  EXPECT_TRUE(life->start().has_value());
  EXPECT_TRUE(life->serve());
  for (std::uint64_t number = 1; number <= commands; ++number) {
    life->submit(number);
    EXPECT_TRUE(life->executed(number));
  }
  // One flush is held after its end: what gathers meanwhile is the next batch.
  loop.close_gate();
  life->submit(commands + 1);
  EXPECT_TRUE(loop.wait_until_held());
  torn.before = contents(directory.path());
  torn.told = life->told();
  for (std::uint64_t i = 2; i <= last_batch; ++i) life->submit(commands + i);
  loop.open_gate();
  life.reset();  // writes it out, while the loop stands still and adds nothing
  torn.after = contents(directory.path());
  return torn;
}

// The next life has all that was told, and goes on.
void expect_recovery(const Files& disk, const Torn& torn, std::uint64_t fresh) {
  const ScratchDirectory directory(memory_directory());
  put(directory, disk);
  TestLoop loop;
  Life life(directory.path(), loop);
  const auto started = life.start();
  ASSERT_TRUE(started.has_value()) << started.error().message;
  ASSERT_TRUE(life.serve());
  for (const std::uint64_t number : torn.told) {
    ASSERT_NE(life.core().state().find(transaction(number)), nullptr) << number;
  }
  life.submit(fresh);
  ASSERT_TRUE(life.executed(fresh));
  life.core().check_invariants();
}

TEST(ReplicaRecovery, AnySubsetOfTheLastBatchOnDiskKeepsAllThatWasTold) {
  const Torn torn = tear(20, 9);
  ASSERT_EQ(torn.told.size(), 20u);
  const std::string name = segment_name(Sequence(1));
  const std::string& before = torn.before.at(name);
  const std::string& after = torn.after.at(name);
  ASSERT_NE(before, after);
  std::size_t torn_disks = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    Files disk = torn.before;
    for (std::size_t at = 0; at < after.size(); at += kSector) {
      if (random() % 2 == 0) disk[name].replace(at, kSector, after, at, kSector);
    }
    torn_disks += disk[name] != before && disk[name] != after ? 1 : 0;
    expect_recovery(disk, torn, 100);
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(torn_disks, 30u);
}

TEST(ReplicaRecovery, AFileCutAnywhereInTheLastBatchKeepsAllThatWasTold) {
  const Torn torn = tear(20, 9);
  const std::string name = segment_name(Sequence(1));
  const std::size_t begin = torn.before.at(name).find_last_not_of('\0') + 1;
  const std::size_t end = torn.after.at(name).find_last_not_of('\0') + 1;
  ASSERT_LT(begin, end);
  for (std::size_t at = begin + 8; at <= end; at += 7) {
    SCOPED_TRACE(at);
    const Files disk = {{name, torn.after.at(name).substr(0, at)},
                        {"identity", torn.after.at("identity")}};
    expect_recovery(disk, torn, 100);
    if (HasFatalFailure()) return;
  }
}

// All values but the last have left the memory of the learner: they are read from the log.
TEST(ReplicaRecovery, EveryChosenValueIsReadBackAsItWasExecuted) {
  const ScratchDirectory directory(memory_directory());
  TestLoop loop;
  std::map<std::uint64_t, std::string> values;
  for (std::uint64_t lifetime = 0; lifetime < 3; ++lifetime) {
    Life life(directory.path(), loop);
    ASSERT_TRUE(life.start().has_value());
    ASSERT_TRUE(life.serve());
    for (const auto& [slot, value] : values) EXPECT_EQ(*life.log().read(Slot(slot)).value, value);
    for (std::uint64_t i = 1; i <= 50; ++i) {
      life.submit(1'000 * lifetime + i);
      if (i % 5 == 0) {
        ASSERT_TRUE(life.executed(1'000 * lifetime + i));
      }
    }
    const std::uint64_t slots = life.core().state().executed().value;
    for (std::uint64_t slot = 1; slot <= slots; ++slot) {
      values[slot] = *life.log().read(Slot(slot)).value;
    }
  }
  state::StateMachine again{state::StateOptions{}};
  for (const auto& [slot, value] : values) {
    const auto entry = state::decode_entry(value);
    ASSERT_TRUE(entry.has_value()) << slot;
    again.execute(Slot(slot), *entry);
  }
  EXPECT_EQ(again.record_count(), 150u);
}

}  // namespace
}  // namespace assent::storage
