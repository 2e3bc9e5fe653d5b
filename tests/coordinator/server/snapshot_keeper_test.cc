// Fetching a snapshot, with a real disk; the other replicas are the test's.
#include "coordinator/server/snapshot_keeper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <deque>
#include <memory>

#include "tests/coordinator/storage/snapshot_fixture.h"

namespace assent::coordinator {
namespace {

constexpr ReplicaId kTwo{2};
constexpr ReplicaId kThree{3};
constexpr std::uint64_t kSlots = 400;

TransactionId transaction(std::uint64_t number) {
  return make_transaction_id(LogTime(1'700'000'000'000), number, number, 1);
}

// Another replica's snapshot.
class Source {
 public:
  Source() {
    state::StateMachine machine{state::StateOptions{}};
    for (std::uint64_t slot = 1; slot <= kSlots; ++slot) {
      machine.execute(Slot(slot), {LogTime(1'700'000'000'000),
                                   {state::Committed{transaction(slot), slot, {}}}});
    }
    hash_ = machine.state_hash();
    machine.begin_snapshot();
    storage::Chunks chunks;
    while (auto chunk = machine.next_chunk(10)) chunks.push_back(std::move(*chunk));
    const std::string image = storage::snapshot_image(Slot(kSlots), storage::Sequence(1), chunks);
    const auto header = image.substr(0, storage::kSnapshotHeaderBytes);
    const auto info = *storage::decode_snapshot_header(header);
    info_ = {info.through, info.id, info.bytes};
    content_ = image.substr(storage::kSnapshotHeaderBytes);
  }

  [[nodiscard]] const paxos::SnapshotInfo& info() const { return info_; }
  [[nodiscard]] std::uint64_t hash() const { return hash_; }
  [[nodiscard]] std::string part(std::uint64_t offset) const {
    return content_.substr(offset, 3'000);
  }

 private:
  paxos::SnapshotInfo info_;
  std::string content_;
  std::uint64_t hash_ = 0;
};

// One life of a replica that lacks everything.
struct Life {
  Life(boost::asio::io_context& loop, const std::string& directory)
      : log({.log = {.directory = directory,
                     .segment_bytes = 64u << 10,
                     .record_bytes_max = 8u << 10,
                     .post = [&loop](auto work) { boost::asio::post(loop, std::move(work)); }},
             .cluster = "demo"}),
        core({.paxos = {.self = ReplicaId(1), .group = paxos::Group({ReplicaId(1), kTwo, kThree})},
              .state = {}},
             log),
        keeper(
            loop, {}, {}, core, log,
            {[this](const replica::PartAsked& part, SnapshotKeeper::GotPart got) {
               asked.emplace_back(part, std::move(got));
             },
             [this](const paxos::SnapshotInfo& snapshot) { kept.push_back(snapshot); },
             [this](std::shared_ptr<state::StateMachine> state) { install(std::move(state)); }}) {
    const auto opened = log.open([](const paxos::Record&) {}, [](paxos::RecordIndex) {});
    EXPECT_TRUE(opened.has_value()) << opened.error().message;
    core.start({});
  }

  void install(std::shared_ptr<state::StateMachine> state) {
    const Slot through = state->executed();
    core.step({}, replica::Install{std::move(state)});
    log.rebase(through);
  }

  storage::ReplicaLog log;
  replica::Core core;
  std::deque<std::pair<replica::PartAsked, SnapshotKeeper::GotPart>> asked;
  std::vector<paxos::SnapshotInfo> kept;
  SnapshotKeeper keeper;
};

class Keeper : public ::testing::Test {
 protected:
  void restart() {
    life_.reset();
    life_ = std::make_unique<Life>(loop_, directory_.path());
  }
  void offer(ReplicaId from = kTwo) { life_->keeper.take_offer({from, source_.info()}); }

  // The part that was asked for last.
  replica::PartAsked asked() const {
    return life_->asked.empty() ? replica::PartAsked{} : life_->asked.back().first;
  }
  void answer(Result<std::string> bytes) {
    ASSERT_FALSE(life_->asked.empty());
    const auto got = std::move(life_->asked.back().second);
    life_->asked.pop_back();
    got(std::move(bytes));
  }
  void give_part() { answer(source_.part(asked().offset)); }
  void give_the_rest() {
    while (!life_->asked.empty()) give_part();
  }
  template <class Condition>
  bool run_until(Condition condition) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition() && std::chrono::steady_clock::now() < give_up) {
      loop_.restart();
      loop_.run_one_for(std::chrono::milliseconds(20));
    }
    return condition();
  }
  [[nodiscard]] bool taken_in() {
    return run_until([&] { return life_->core.state().executed() == Slot(kSlots); });
  }

  storage::ScratchDirectory directory_{storage::memory_directory()};
  boost::asio::io_context loop_;
  const Source source_;
  std::unique_ptr<Life> life_ = std::make_unique<Life>(loop_, directory_.path());
};

TEST_F(Keeper, TakesInWhatItHasFetched) {
  offer();
  give_the_rest();

  ASSERT_TRUE(taken_in());
  EXPECT_EQ(life_->core.state().state_hash(), source_.hash());
  EXPECT_THAT(life_->kept, testing::ElementsAre(source_.info())) << "and offers it to others";
  EXPECT_EQ(life_->keeper.counters().fetched, 1u);
  EXPECT_EQ(life_->log.first(), Slot(kSlots + 1));
}

TEST_F(Keeper, GoesOnAfterARestartBehindWhatIsHere) {
  offer();
  give_part();
  give_part();
  const std::uint64_t had = asked().offset;
  ASSERT_LT(3'000u, had);

  restart();
  offer();

  EXPECT_LT(had - 1'500, asked().offset) << "but for a chunk that is not whole";
  EXPECT_LE(asked().offset, had);
  give_the_rest();
  ASSERT_TRUE(taken_in());
  EXPECT_EQ(life_->core.state().state_hash(), source_.hash());
}

TEST_F(Keeper, WhatDidNotComeIsAskedForAgainOfWhoeverOffersIt) {
  offer(kTwo);
  give_part();
  const std::uint64_t had = asked().offset;
  answer(failure(ErrorCode::kUnavailable, "the connection was lost"));
  ASSERT_TRUE(life_->asked.empty()) << "nobody is asked before the next offer";

  offer(kThree);

  EXPECT_EQ(asked(), (replica::PartAsked{kThree, source_.info(), had}));
  give_the_rest();
  EXPECT_TRUE(taken_in());
}

TEST_F(Keeper, APartOfNoLengthOrTooLongIsNotTaken) {
  offer();
  answer(std::string());
  offer();
  answer(std::string(source_.info().bytes + 1, 'x'));
  offer();
  EXPECT_EQ(asked().offset, 0u);
}

TEST_F(Keeper, ADamagedOneIsFetchedAnew) {
  offer();
  std::string bad = source_.part(0);
  bad[1'000] ^= 1;
  answer(bad);
  give_the_rest();
  ASSERT_TRUE(run_until([&] { return life_->keeper.counters().failed == 1; }));
  EXPECT_EQ(life_->core.state().executed(), Slot(0));

  offer();

  EXPECT_EQ(asked().offset, 0u);
  give_the_rest();
  EXPECT_TRUE(taken_in());
}

TEST_F(Keeper, AnOfferOfWhatIsHereIsNotTaken) {
  offer();
  give_the_rest();
  ASSERT_TRUE(taken_in());

  offer();

  EXPECT_TRUE(life_->asked.empty());
}

}  // namespace
}  // namespace assent::coordinator
