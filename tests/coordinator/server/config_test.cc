// A replica's configuration: everything that is wrong is named, with file and key.
#include "coordinator/server/config.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

namespace assent::coordinator {
namespace {

Result<Config> load(const std::string& text) {
  const std::string path =
      testing::TempDir() + std::to_string(getpid()) + "_coordinator_config_test.toml";
  std::ofstream(path) << text;
  auto config = load_config(path);
  std::remove(path.c_str());
  return config;
}

constexpr const char* kSmallest = "cluster = \"demo\"\ndata_directory = \"/d\"\n";

TEST(CoordinatorConfig, OneThatJoinsNamesSomeoneWhoIsThere) {
  const std::string joins = std::string("joins = true\n") + kSmallest;
  const auto alone = load(joins);
  ASSERT_FALSE(alone);
  EXPECT_NE(alone.error().message.find("joins"), std::string::npos) << alone.error().message;

  const auto config = load(joins +
                           "[replicas.1]\nclient = \"a:1\"\npeer = \"a:2\"\nadmin = \"a:3\"\n"
                           "[replicas.2]\nclient = \"b:1\"\npeer = \"b:2\"\n");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_TRUE(config->joins);
  EXPECT_EQ(config->admin_address, "a:3");
  EXPECT_EQ(config->group.at(ReplicaId(2)).admin_address, "");
}

TEST(CoordinatorConfig, TheSmallestFileHasDefaults) {
  const auto config = load(kSmallest);

  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->cluster, "demo");
  EXPECT_EQ(config->retention, Millis(600'000));
  EXPECT_EQ(config->replica, ReplicaId(1));
}

TEST(CoordinatorConfig, TheInDoubtBudgetHasTwoLimitsOfEachKind) {
  const auto config = load(std::string(kSmallest) +
                           "[in_doubt]\nage_alarm_ms = 5\nnumber_refuse = 0\n"
                           "horizon_refuse_xids = 20000000\n");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->budget.age_ms.alarm, 5u);
  EXPECT_EQ(config->budget.age_ms.refuse, 1'800'000u);
  EXPECT_EQ(config->budget.number.refuse, 0u);
  EXPECT_EQ(config->budget.horizon.refuse, 20'000'000u);
}

TEST(CoordinatorConfig, TheSecondLimitIsNotBelowTheFirst) {
  const auto config =
      load(std::string(kSmallest) + "[in_doubt]\nnumber_alarm = 9\nnumber_refuse = 8\n");
  ASSERT_FALSE(config);
  EXPECT_NE(config.error().message.find("in_doubt.number_refuse"), std::string::npos)
      << config.error().message;
}

TEST(CoordinatorConfig, NamesAKeyThatIsMissing) {
  const auto config = load("cluster = \"demo\"\n");

  ASSERT_FALSE(config);
  EXPECT_NE(config.error().message.find("data_directory"), std::string::npos);
}

TEST(CoordinatorConfig, NamesAKeyThatNobodyKnows) {
  const auto config = load(std::string(kSmallest) + "[listen]\ncleint = \"127.0.0.1:1\"\n");

  ASSERT_FALSE(config);
  EXPECT_NE(config.error().message.find("cleint"), std::string::npos);
  EXPECT_NE(config.error().message.find("coordinator_config_test.toml"), std::string::npos);
}

TEST(CoordinatorConfig, RefusesAClusterThatNoGidCanCarry) {
  const auto config = load("cluster = \"Demo:1\"\ndata_directory = \"/d\"\n");

  ASSERT_FALSE(config);
  EXPECT_NE(config.error().message.find("cluster"), std::string::npos);
}

TEST(CoordinatorConfig, RefusesAnUnknownLogLevel) {
  const auto config = load(std::string(kSmallest) + "[log]\nlevel = \"loud\"\n");

  ASSERT_FALSE(config);
  EXPECT_NE(config.error().message.find("log.level"), std::string::npos);
}

constexpr const char* kGroup =
    "replica = 2\ncluster = \"demo\"\ndata_directory = \"/d\"\n"
    "[replicas.1]\nclient = \"a:1\"\npeer = \"a:2\"\n"
    "[replicas.2]\nclient = \"b:1\"\npeer = \"b:2\"\n"
    "[replicas.3]\nclient = \"c:1\"\npeer = \"c:2\"\n";

TEST(CoordinatorConfig, AReplicaWithoutAGroupIsOne) {
  const auto config = load(kSmallest);

  ASSERT_EQ(config->group.size(), 1u);
  EXPECT_EQ(config->group.at(ReplicaId(1)).peer_address, config->peer_address);
}

TEST(CoordinatorConfig, AReplicaListensWhereItsGroupReachesIt) {
  const auto config = load(kGroup);

  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->group.size(), 3u);
  EXPECT_EQ(config->client_address, "b:1");
  EXPECT_EQ(config->peer_address, "b:2");
  EXPECT_EQ(config->group.at(ReplicaId(3)).client_address, "c:1");
}

TEST(CoordinatorConfig, WhereItListensMayDiffer) {
  const auto config = load(std::string(kGroup) + "[listen]\npeer = \"0.0.0.0:9\"\n");

  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->peer_address, "0.0.0.0:9");
  EXPECT_EQ(config->client_address, "b:1");
}

std::string refusal(const std::string& text) {
  const auto config = load(text);
  return config ? "" : config.error().message;
}

TEST(CoordinatorConfig, RefusesAGroupWithoutItself) {
  const auto why = refusal(
      "cluster = \"demo\"\ndata_directory = \"/d\"\nreplica = 4\n"
      "[replicas.1]\nclient = \"a:1\"\npeer = \"a:2\"\n");
  EXPECT_NE(why.find("replica 4"), std::string::npos) << why;
}

TEST(CoordinatorConfig, RefusesAMemberThatIsNoNumberOrHasNoAddress) {
  EXPECT_NE(refusal(std::string(kGroup) + "[replicas.01]\npeer = \"x:1\"\n").find("replicas.01"),
            std::string::npos);
  EXPECT_NE(
      refusal(std::string(kGroup) + "[replicas.4]\npeer = \"x:1\"\n").find("replicas.4.client"),
      std::string::npos);
}

TEST(CoordinatorConfig, RefusesAMemberThatNobodyCouldReachAndMoreThanAGroupMayHave) {
  const auto with = [](const std::string& table) { return refusal(std::string(kGroup) + table); };
  EXPECT_NE(with("[replicas.4]\nclient = \"d:1\"\npeer = \"d\"\n").find("replicas.4.peer"),
            std::string::npos);
  EXPECT_NE(with("[replicas.4]\nclient = \"d:0\"\npeer = \"d:2\"\n").find("port 0"),
            std::string::npos);
  EXPECT_NE(with("[replicas.1001]\nclient = \"d:1\"\npeer = \"d:2\"\n").find("1 to 1000"),
            std::string::npos);
  std::string more;
  for (int id = 4; id <= 10; ++id) {
    more += "[replicas." + std::to_string(id) + "]\nclient = \"d:" + std::to_string(id) +
            "\"\npeer = \"e:" + std::to_string(id) + "\"\n";
  }
  EXPECT_NE(with(more).find("at most 9"), std::string::npos);
}

TEST(CoordinatorConfig, RefusesAnElectionThatAHeartbeatCannotPrevent) {
  const auto why =
      refusal(std::string(kSmallest) + "[group]\nheartbeat_ms = 100\nelection_ms = 399\n");
  EXPECT_NE(why.find("group.election_ms"), std::string::npos) << why;
}

}  // namespace
}  // namespace assent::coordinator
