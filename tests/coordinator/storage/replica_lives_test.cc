// Random lives of one replica against a model: records, snapshots of its own and fetched ones,
// truncation, restarts, crashes that lose what was not told, snapshots that rot.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/coordinator/storage/replica_log_fixture.h"

namespace assent::storage {
namespace {

using Values = std::map<std::uint64_t, std::string>;  // "round:value" of a slot

// What the replica must remember: its promise, its acceptances, and which state it has.
struct Memory {
  std::uint64_t round = 1;
  std::uint64_t mark = 0;
  std::uint64_t log_mark = 0;  // the last mark or base that stands in the log
  std::uint64_t base = 0;      // the last base in the log
  Values accepted;
};

class Lives : public ReplicaLogFixture {
 protected:
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }

  void begin(std::uint64_t seed) {
    random_.seed(seed);
    close();
    directory_.clear();
    memory_ = {};
    kept_.clear();
    states_ = {{0, "nothing"}};
    chosen_.clear();
    open();
  }

  // ── what a replica does ──

  std::string random_value() {
    return std::string(below(4) == 0 ? below(1'500) : below(60),
                       static_cast<char>('a' + below(26)));
  }
  void choose(std::uint64_t slot, const std::string& value) {
    chosen_[slot] = value;
    states_[slot] = std::to_string(std::hash<std::string>()(states_.at(slot - 1) + value));
  }
  paxos::Record record() {
    const std::uint64_t kind = below(10);
    if (kind == 0) return promised(memory_.round += below(3));
    while (kind < 5 && memory_.accepted.contains(memory_.mark + 1)) {
      ++memory_.mark;
      choose(memory_.mark, memory_.accepted[memory_.mark]);
    }
    if (kind < 5 && memory_.mark > 0) return chosen(memory_.log_mark = memory_.mark);
    memory_.round += below(8) == 0 ? 1 : 0;
    const std::uint64_t slot = memory_.mark + 1 + below(6);
    const std::string value = random_value();
    memory_.accepted[slot] = std::to_string(memory_.round) + ":" + value;
    return accepted(slot, memory_.round, value);
  }
  void append_some() {
    std::vector<paxos::Record> records;
    for (std::uint64_t count = below(6); count > 0; --count) records.push_back(record());
    append(records);
  }

  [[nodiscard]] Chunks state() const {
    return {"state", std::to_string(memory_.mark), states_.at(memory_.mark)};
  }
  [[nodiscard]] bool may_take_snapshot() const {
    return memory_.mark > (kept_.empty() ? 0 : kept_.back());
  }
  void keep() {
    kept_.push_back(memory_.mark);
    if (kept_.size() > 2) kept_.erase(kept_.begin());
  }
  void take_snapshot() {
    if (!may_take_snapshot()) return;
    const auto info = snapshot(memory_.mark, state());
    ASSERT_TRUE(info.has_value()) << info.error().message;
    keep();
    if (below(4) > 0) log_->truncate();
  }
  // Others have chosen on; the values that this replica accepted need not be theirs.
  void fetch_snapshot() {
    const std::uint64_t through =
        std::max(memory_.mark, kept_.empty() ? 0 : kept_.back()) + 1 + below(9);
    for (std::uint64_t slot = memory_.mark + 1; slot <= through; ++slot) {
      choose(slot, "chosen by others: " + random_value());
    }
    memory_.mark = through;
    const std::string image = snapshot_image(Slot(through), Sequence(999), state());
    const auto info = *decode_snapshot_header(image.substr(0, kSnapshotHeaderBytes));
    SnapshotStore& store = log_->snapshots();
    ASSERT_EQ(store.incoming(info.id, info.through, info.bytes), 0u);
    store.write(0, image.substr(kSnapshotHeaderBytes));
    const auto got = complete_snapshot(store, loop_, log_->replay_from(Slot(through)));
    ASSERT_TRUE(got.has_value()) << got.error().message;
    keep();
    rest_on(through);
    log_->rebase(Slot(through));
    if (below(2) == 0) log_->truncate();
  }
  void rest_on(std::uint64_t through) { memory_.base = memory_.log_mark = through; }

  // ── what becomes of it ──

  // A power cut takes what was not told; a snapshot that was finished meanwhile stays.
  void crash() {
    ASSERT_TRUE(all_persisted());
    const Memory told = memory_;
    const auto disk = contents(directory_.path());
    for (std::uint64_t i = below(6); i > 0; --i) append_some();
    if (below(2) == 0 && may_take_snapshot()) {
      log_->snapshots().begin(Slot(memory_.mark), log_->replay_from(Slot(memory_.mark)), [] {});
      for (const std::string& chunk : state()) log_->snapshots().append(chunk);
      log_->snapshots().finish([](const Result<SnapshotInfo>&) {});
      keep();
    }
    close();
    loop_.run_posted();
    // What a truncation deleted meanwhile stays away.
    for (const auto& [name, bytes] : contents(directory_.path())) {
      if (!parse_segment_name(name)) continue;
      const auto before = disk.find(name);
      if (before == disk.end()) std::filesystem::remove(directory_.file(name));
      if (before != disk.end()) write_file(directory_.file(name), before->second);
    }
    memory_ = told;
    ++crashes_;
    open_and_check(kept_.empty() ? 0 : kept_.back());
  }

  void restart() {
    close();
    open_and_check(kept_.empty() ? 0 : kept_.back());
  }

  // The newest snapshot rots. Either the older one leads to the same state, or nothing does.
  void rot() {
    if (kept_.empty()) return restart();
    close();
    const std::string path = directory_.file(snapshot_name(Slot(kept_.back())));
    const std::string good = read_file(path);
    std::string bad = good;
    bad[below(bad.size())] ^= static_cast<char>(1 + below(255));
    write_file(path, bad);
    const std::uint64_t fallback = kept_.size() > 1 ? kept_.front() : 0;
    const bool shortened = !contents(directory_.path()).contains(segment_name(Sequence(1)));
    if (memory_.base > fallback || (fallback == 0 && shortened)) {
      ++refused_;
      ASSERT_FALSE(try_open(options()).has_value());
      close();
      write_file(path, good);
      return open_and_check(kept_.back());
    }
    ++fallen_back_;
    kept_.pop_back();
    memory_.mark = std::max(fallback, memory_.log_mark);
    open_and_check(fallback);
  }

  void open_and_check(std::uint64_t loaded) {
    open();
    if (HasFatalFailure()) return;
    memory_.mark = std::max(loaded, memory_.log_mark);
    if (loaded > memory_.log_mark) rest_on(loaded);
    if (loaded == 0) {
      ASSERT_TRUE(loaded_.empty());
    } else {
      ASSERT_EQ(loaded_, (Chunks{"state", std::to_string(loaded), states_.at(loaded)}));
    }
    check_restored(loaded);
    check_readable();
  }

  void check_restored(std::uint64_t loaded) {
    std::uint64_t mark = loaded;
    Ballot promise;
    Values values;
    for (const Record& bytes : restored_) {
      const paxos::Record record = *decode_record(bytes.type, bytes.payload);
      if (const auto* promised = std::get_if<paxos::Promised>(&record)) promise = promised->ballot;
      if (const auto* accepted = std::get_if<paxos::Accepted>(&record)) {
        ASSERT_LT(loaded, accepted->slot.value);
        promise = accepted->ballot;
        values[accepted->slot.value] = to_string(accepted->ballot.round) + ":" + *accepted->value;
      }
      if (const auto* chosen = std::get_if<paxos::ChosenMark>(&record)) {
        ASSERT_LT(loaded, chosen->through.value);
        mark = chosen->through.value;
      }
    }
    ASSERT_EQ(mark, memory_.mark);
    for (std::uint64_t slot = loaded + 1; slot <= mark; ++slot) {
      ASSERT_EQ(values[slot], chosen_[slot]) << "slot " << slot;
    }
    values.erase(values.begin(), values.upper_bound(mark));
    memory_.accepted.erase(memory_.accepted.begin(), memory_.accepted.upper_bound(mark));
    ASSERT_EQ(values, memory_.accepted);
    // Nothing was ever promised: there is nothing to remember.
    const std::uint64_t round = promise == Ballot{} ? 1 : promise.round.value;
    ASSERT_EQ(round, memory_.round);
  }

  void check_readable() {
    ASSERT_LE(log_->first_slot(), Slot(memory_.mark + 1));
    for (std::uint64_t slot = log_->first_slot().value; slot <= memory_.mark; ++slot) {
      ++read_;
      ASSERT_EQ(read(slot), chosen_.at(slot)) << "slot " << slot;
    }
  }

  void step() {
    const std::uint64_t what = below(40);
    if (what == 0) {
      restart();
    } else if (what == 1) {
      crash();
    } else if (what == 2) {
      rot();
    } else if (what == 3) {
      if (below(4) == 0) fetch_snapshot();
    } else if (what < 7) {
      take_snapshot();
    } else {
      append_some();
      if (below(3) == 0) loop_.run_posted();
      if (below(20) == 0) check_readable();
    }
  }

  std::mt19937_64 random_;
  Memory memory_;
  std::vector<std::uint64_t> kept_;              // slots of whole snapshots
  std::map<std::uint64_t, std::string> states_;  // after each slot
  Values chosen_;
  std::uint64_t crashes_ = 0;
  std::uint64_t refused_ = 0;
  std::uint64_t fallen_back_ = 0;
  std::uint64_t deleted_ = 0;
  std::uint64_t read_ = 0;
};

TEST_F(Lives, RememberWhatTheyToldAndNeverHaveAnotherState) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    begin(seed);
    for (int i = 0; i < 400; ++i) {
      SCOPED_TRACE("step " + std::to_string(i));
      step();
      if (HasFatalFailure()) return;
    }
    restart();
    if (HasFatalFailure()) return;
    deleted_ += contents(directory_.path()).contains(segment_name(Sequence(1))) ? 0 : 1;
  }
  EXPECT_GT(crashes_, 300u);
  EXPECT_GT(refused_, 30u);
  EXPECT_GT(fallen_back_, 100u);
  EXPECT_GT(deleted_, 40u) << "logs whose beginning is gone";
  EXPECT_GT(read_, 10'000u);
}

}  // namespace
}  // namespace assent::storage
