#include "integration/workload/transfers.h"

#include <gtest/gtest.h>

#include "tests/client/fake_cluster.h"

namespace assent::workload {
namespace {

class TransfersOfOneClient : public testing::Test {
 protected:
  // Lets a client work until it has sent a commit, and answers the first one.
  wire::CommitRequest first_commit(std::vector<std::string> participants, bool one_shot) {
    TransferOptions options;
    options.participants = std::move(participants);
    options.one_shot = one_shot;
    options.clients = 1;
    Recorder recorder(Clock::now());
    Transfers transfers(client_, options, recorder);
    EXPECT_TRUE(cluster_.first.commit.wait_for(1));
    transfers.stop();
    return cluster_.first.commit.requests().at(0);
  }

  fake::Cluster cluster_;
  Client client_ = Client::connect(cluster_.options()).value();
};

TEST_F(TransfersOfOneClient, GoBetweenTwoParticipants) {
  const auto request = first_commit({"stock", "orders"}, false);
  ASSERT_EQ(request.branches.size(), 2U);
  EXPECT_FALSE(request.branches[0].__isset.one_shot);
}

TEST_F(TransfersOfOneClient, GoBetweenAccountsOfAnOnlyParticipant) {
  const auto request = first_commit({"orders"}, false);
  ASSERT_EQ(request.branches.size(), 1U);
  EXPECT_EQ(request.branches[0].statements, 2);
}

TEST_F(TransfersOfOneClient, TravelWithTheCommitWhenTheyAreOneShots) {
  const auto request = first_commit({"orders", "stock"}, true);
  ASSERT_EQ(request.branches.size(), 2U);
  for (const auto& branch : request.branches) {
    ASSERT_EQ(branch.one_shot.statements.size(), 1U);
    EXPECT_EQ(branch.one_shot.statements[0].expected_rows, 1);
  }
  EXPECT_EQ(request.branches[0].participant, "orders");
  EXPECT_TRUE(cluster_.orders.execute.requests().empty());
}

TEST_F(TransfersOfOneClient, TravelWithTheCommitOfAnOnlyParticipant) {
  const auto request = first_commit({"orders"}, true);
  ASSERT_EQ(request.branches.size(), 1U);
  const auto& statements = request.branches[0].one_shot.statements;
  ASSERT_EQ(statements.size(), 2U);
  EXPECT_LE(std::stoi(statements[0].parameters.at(1).text),
            std::stoi(statements[1].parameters.at(1).text));
  EXPECT_EQ(std::stoi(statements[0].parameters.at(0).text),
            -std::stoi(statements[1].parameters.at(0).text));
}

TEST_F(TransfersOfOneClient, WriteTheirNameInEveryBranchWhenThereAreReceipts) {
  TransferOptions options;
  options.participants = {"orders", "stock"};
  options.one_shot = true;
  options.clients = 1;
  Recorder recorder(Clock::now());
  Receipts receipts(testing::TempDir() + "/receipts");
  Transfers transfers(client_, options, recorder, &receipts);
  EXPECT_TRUE(cluster_.first.commit.wait_for(1));
  transfers.stop();
  const auto request = cluster_.first.commit.requests().at(0);
  ASSERT_EQ(request.branches.size(), 2U);
  const auto& one = request.branches[0].one_shot.statements.at(0);
  const auto& other = request.branches[1].one_shot.statements.at(0);
  EXPECT_NE(one.sql.find("receipts"), std::string::npos);
  EXPECT_FALSE(one.parameters.at(2).text.empty());
  EXPECT_EQ(one.parameters.at(2).text, other.parameters.at(2).text);
}

}  // namespace
}  // namespace assent::workload
