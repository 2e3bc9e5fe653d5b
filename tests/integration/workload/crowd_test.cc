#include "integration/workload/crowd.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/client/fake_cluster.h"

namespace assent::workload {
namespace {

using testing::ElementsAre;
using testing::Pair;

class CrowdOfFive : public testing::Test {
 protected:
  CrowdOptions options() {
    CrowdOptions options;
    options.coordinators = {cluster_.first.port.address()};
    options.participants = {"orders", "stock"};
    options.sql = "UPDATE a";
    options.connections = 5;
    options.transactions = 12;
    return options;
  }

  fake::Cluster cluster_;
};

TEST_F(CrowdOfFive, SaysHelloOnEveryConnection) {
  Crowd crowd(options());
  ASSERT_TRUE(crowd.connect());
  EXPECT_EQ(cluster_.first.hello.requests().size(), 5U);
}

TEST_F(CrowdOfFive, TellsWhyItCouldNotConnect) {
  cluster_.first.port.close();
  Crowd crowd(options());
  const auto connected = crowd.connect();
  ASSERT_FALSE(connected);
  EXPECT_EQ(connected.error().code, ErrorCode::kUnavailable);
}

TEST_F(CrowdOfFive, SendsOneShotsUnderIdsOfTheirOwn) {
  Crowd crowd(options());
  ASSERT_TRUE(crowd.connect());

  EXPECT_EQ(crowd.commit().committed, 12U);
  EXPECT_EQ(cluster_.first.commit.requests()[0].office, fake::Cluster::kOffice);

  std::set<std::string> ids;
  for (const auto& request : cluster_.first.commit.requests()) {
    ids.insert(request.transaction);
    EXPECT_TRUE(request.first);
    ASSERT_EQ(request.branches.size(), 2U);
    EXPECT_EQ(request.branches[1].participant, "stock");
    EXPECT_EQ(request.branches[1].one_shot.statements.at(0).sql, "UPDATE a");
  }
  EXPECT_EQ(ids.size(), 12U);
}

TEST_F(CrowdOfFive, CountsHowTheTransactionsWereAnswered) {
  auto at_once = fake::decided(wire::Outcome::COMMITTED);
  at_once.one_phase = true;
  auto& commit = cluster_.first.commit;
  commit.next(at_once);
  commit.next(fake::aborted(fake::sql_error("55P03")));
  commit.next(Error{ErrorCode::kOverloaded, "too many transactions"});
  commit.next(Error{ErrorCode::kOutcomeUnknown, "the log is behind"});
  Crowd crowd(options());
  ASSERT_TRUE(crowd.connect());

  const CrowdTally tally = crowd.commit();

  EXPECT_EQ(tally.committed, 9U);
  EXPECT_EQ(tally.one_phase, 1U);
  EXPECT_EQ(tally.aborted, 1U);
  EXPECT_EQ(tally.refused, 1U);
  EXPECT_EQ(tally.unanswered, 1U);
  EXPECT_EQ(tally.latency_us.count(), 11U);
  EXPECT_THAT(tally.reasons,
              ElementsAre(Pair("OUTCOME_UNKNOWN", 1), Pair("OVERLOADED", 1), Pair("SQL 55P03", 1)));
}

TEST_F(CrowdOfFive, EndsWithoutTransactions) {
  auto none = options();
  none.transactions = 0;
  Crowd crowd(none);
  ASSERT_TRUE(crowd.connect());
  EXPECT_EQ(crowd.commit().answered(), 0U);
}

}  // namespace
}  // namespace assent::workload
