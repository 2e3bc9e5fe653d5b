// The connections of an office to its agents.
#include "coordinator/server/agent_links.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <optional>

namespace assent::coordinator {
namespace {

const Ballot kBallot{Incarnation(1), Round(1), ReplicaId(1)};

class AgentLinksTest : public testing::Test {
 protected:
  AgentLinksTest() {
    links_.emplace(loop_, "demo", kBallot, [this](const commit::Input&) { ++told_; });
  }

  boost::asio::io_context loop_;
  int told_ = 0;
  std::optional<AgentLinks> links_;
};

TEST_F(AgentLinksTest, WhatCannotBeSentIsReportedLost) {
  links_->send(commit::SendSettle{"orders", {}});
  EXPECT_EQ(told_, 0) << "never from inside the call";

  loop_.poll();

  EXPECT_EQ(told_, 1);
}

// The office can be lost in the same turn of the loop.
TEST_F(AgentLinksTest, AnOfficeThatIsGoneHearsNothing) {
  links_->send(commit::SendSettle{"orders", {}});

  links_.reset();
  loop_.poll();

  EXPECT_EQ(told_, 0);
}

}  // namespace
}  // namespace assent::coordinator
