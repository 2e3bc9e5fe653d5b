#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "assent/client.h"
#include "base/ids.h"
#include "tests/client/fake_cluster.h"

namespace assent {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class Connect : public testing::Test {
 protected:
  fake::Cluster cluster_;
};

TEST_F(Connect, LearnsTheParticipants) {
  auto client = Client::connect(cluster_.options());
  ASSERT_TRUE(client) << client.error().message;
  EXPECT_THAT(client->participants().value(), ElementsAre("orders", "stock"));
}

TEST_F(Connect, GoesOnToTheNextCoordinatorWhenOneIsDown) {
  cluster_.first.port.close();
  EXPECT_TRUE(Client::connect(cluster_.options()));
  EXPECT_TRUE(cluster_.second.hello.wait_for(1));
}

TEST_F(Connect, SaysWhomItAskedWhenNobodyAnswers) {
  cluster_.first.port.close();
  cluster_.second.port.close();
  auto options = cluster_.options();
  options.connect_timeout_ms = 50;

  const auto client = Client::connect(options);

  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(client.error().message, HasSubstr(options.coordinators[0]));
  EXPECT_THAT(client.error().message, HasSubstr(options.coordinators[1]));
}

TEST_F(Connect, DoesNotInsistOnAnotherCluster) {
  cluster_.first.hello.next(Error{ErrorCode::kWrongCluster, "this is cluster home"});
  auto options = cluster_.options();
  options.cluster = "away";

  const auto client = Client::connect(options);

  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().code, ErrorCode::kWrongCluster);
  EXPECT_EQ(cluster_.first.hello.requests().at(0).cluster, "away");
}

TEST_F(Connect, StaysWithTheClusterThatItFirstMet) {
  auto client = Client::connect(cluster_.options());
  ASSERT_TRUE(client);
  (void)client->participants();
  const auto requests = cluster_.first.hello.requests();
  EXPECT_FALSE(requests.at(0).__isset.cluster);
  EXPECT_EQ(requests.at(1).cluster, "home");
}

TEST_F(Connect, NamesTheOptionThatIsOutOfRange) {
  auto options = cluster_.options();
  options.idle_timeout_ms = 0;
  EXPECT_THAT(Client::connect(options).error().message, HasSubstr("idle_timeout_ms"));

  options = cluster_.options();
  options.cluster = "Not A Name";
  EXPECT_THAT(Client::connect(options).error().message, HasSubstr("cluster"));

  EXPECT_EQ(Client::connect({}).error().code, ErrorCode::kInvalidArgument);
}

TEST_F(Connect, RefusesAnAddressThatIsNone) {
  auto options = cluster_.options();
  options.coordinators = {"localhost"};
  const auto client = Client::connect(options);
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(client.error().message, HasSubstr("'localhost'"));
}

TEST_F(Connect, MakesIdsFromTheCoordinatorsTimeAndTheCreatorsName) {
  auto options = cluster_.options();
  options.name = "till-7";
  auto client = Client::connect(options).value();

  const auto one = parse_transaction_id(client.start().id());
  const auto other = parse_transaction_id(client.start().id());

  ASSERT_TRUE(one && other);
  EXPECT_NE(*one, *other);
  EXPECT_EQ(one->creator, creator_tag("till-7"));
  EXPECT_GE(one->time(), LogTime(fake::Cluster::kNowMs));
  EXPECT_LT(one->time(), LogTime(fake::Cluster::kNowMs + 60'000));
}

}  // namespace
}  // namespace assent
