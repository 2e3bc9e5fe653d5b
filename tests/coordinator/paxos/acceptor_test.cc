#include "coordinator/paxos/acceptor.h"

#include <gtest/gtest.h>

#include "coordinator/paxos/learner.h"
#include "coordinator/paxos/outbox.h"
#include "tests/coordinator/paxos/stage.h"

namespace assent::paxos {
namespace {

AcceptedValue value_of(std::uint64_t round, const std::string& bytes) {
  return {ballot(round, 1), make_value(bytes)};
}

TEST(Acceptor, RejectsLowerBallot) {
  Acceptor acceptor;
  acceptor.promise(ballot(2, 1));
  EXPECT_FALSE(acceptor.accept(Slot(1), value_of(1, "late")));
  EXPECT_EQ(acceptor.find(Slot(1)), nullptr);
}

TEST(Acceptor, PromisesOnlyUpwards) {
  Acceptor acceptor;
  EXPECT_TRUE(acceptor.promise(ballot(2, 1)));
  EXPECT_FALSE(acceptor.promise(ballot(2, 1)));
  EXPECT_FALSE(acceptor.promise(ballot(1, 3)));
  EXPECT_EQ(acceptor.promised(), ballot(2, 1));
}

TEST(Acceptor, AcceptingImpliesThePromise) {
  Acceptor acceptor;
  EXPECT_TRUE(acceptor.accept(Slot(1), value_of(3, "a")));
  EXPECT_EQ(acceptor.promised(), ballot(3, 1));
}

TEST(Acceptor, AcceptsOutOfOrderAndLeavesHoles) {
  Acceptor acceptor;
  acceptor.accept(Slot(3), value_of(1, "c"));
  acceptor.accept(Slot(1), value_of(1, "a"));
  EXPECT_EQ(acceptor.contiguous_through(Slot(0), ballot(1, 1)), Slot(1));
  acceptor.accept(Slot(2), value_of(1, "b"));
  EXPECT_EQ(acceptor.contiguous_through(Slot(0), ballot(1, 1)), Slot(3));
}

TEST(Acceptor, ContiguousCountsExactlyOneBallot) {
  Acceptor acceptor;
  acceptor.accept(Slot(1), value_of(1, "a"));
  acceptor.accept(Slot(2), value_of(2, "b"));
  EXPECT_EQ(acceptor.contiguous_through(Slot(0), ballot(2, 1)), Slot(0));
  EXPECT_EQ(acceptor.contiguous_through(Slot(1), ballot(2, 1)), Slot(2));
}

TEST(Acceptor, AHigherBallotReplacesTheValue) {
  Acceptor acceptor;
  acceptor.accept(Slot(1), value_of(1, "a"));
  acceptor.accept(Slot(1), value_of(2, "b"));
  EXPECT_EQ(*acceptor.find(Slot(1))->value, "b");
}

TEST(Outbox, KeepsBackUntilDurable) {
  Outbox outbox(10);
  std::vector<Envelope> out;
  outbox.written();
  outbox.send({replica(2), Refused{}}, out);
  EXPECT_TRUE(out.empty());
  outbox.persisted(RecordIndex(1), out);
  EXPECT_EQ(out.size(), 1u);
}

TEST(Outbox, AMessageWaitsForTheRecordsBeforeItOnly) {
  Outbox outbox(10);
  std::vector<Envelope> out;
  outbox.written();
  outbox.send({replica(2), Refused{}}, out);
  outbox.written();
  outbox.send({replica(3), Refused{}}, out);
  outbox.persisted(RecordIndex(1), out);
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(out[0].to, replica(2));
}

TEST(Outbox, ItsQueueIsBounded) {
  Outbox outbox(2);
  std::vector<Envelope> out;
  outbox.written();
  for (int i = 0; i < 5; ++i) outbox.send({replica(2), Refused{}}, out);
  outbox.persisted(RecordIndex(1), out);
  EXPECT_EQ(out.size(), 2u);
}

TEST(Learner, OldValuesComeFromTheLog) {
  RecordedLog log;
  Learner learner(log, 8);
  for (std::uint64_t slot = 1; slot <= 4; ++slot) {
    const Value value = make_value("value" + std::to_string(slot));
    log.durable.push_back(Accepted{Slot(slot), ballot(1, 1), value});
    learner.learn({ballot(1, 1), value});
  }
  log.durable.pop_back();  // the last is only in memory
  EXPECT_EQ(*learner.read(Slot(4)).value, "value4");
  EXPECT_EQ(*learner.read(Slot(1)).value, "value1");
}

}  // namespace
}  // namespace assent::paxos
