// An agent's configuration: everything that is wrong is named, with file and key.
#include "participant/server/config.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

namespace assent::participant {
namespace {

Result<Config> load(const std::string& text) {
  const std::string path =
      testing::TempDir() + std::to_string(getpid()) + "_agent_config_test.toml";
  std::ofstream(path) << text;
  auto config = load_config(path);
  std::remove(path.c_str());
  return config;
}

constexpr const char* kTop =
    "cluster = \"demo\"\nparticipant = \"orders\"\ncoordinators = [\"127.0.0.1:7201\"]\n";
constexpr const char* kPostgres = "[postgres]\nsocket = \"/s\"\ndatabase = \"app\"\n";

TEST(AgentConfig, TheSmallestFileHasDefaults) {
  const auto config = load(std::string(kTop) + kPostgres);

  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->database.cluster, "demo");
  EXPECT_EQ(config->database.participant, "orders");
  EXPECT_EQ(config->database.port, 5432);
  EXPECT_EQ(config->advertised_peer_address, config->peer_address);
  EXPECT_TRUE(config->one_phase);
  EXPECT_EQ(config->database.result_max_bytes, postgres::DatabaseOptions{}.result_max_bytes);
}

TEST(AgentConfig, TakesOnePhaseAndTheBoundOfResults) {
  const auto config = load(std::string(kTop) + kPostgres +
                           "result_max_bytes = 1024\n[commit]\none_phase = false\n");

  ASSERT_TRUE(config) << config.error().message;
  EXPECT_FALSE(config->one_phase);
  EXPECT_EQ(config->database.result_max_bytes, 1'024u);
}

TEST(AgentConfig, OutcomeRowsAreOffUnlessAskedFor) {
  const auto off = load(std::string(kTop) + kPostgres);
  const auto on = load(std::string(kTop) + kPostgres + "outcome_row = true\n");

  ASSERT_TRUE(off && on);
  EXPECT_FALSE(off->database.outcome_row);
  EXPECT_TRUE(on->database.outcome_row);
}

TEST(AgentConfig, RefusesAnUnboundedResult) {
  const auto config = load(std::string(kTop) + kPostgres + "result_max_bytes = 67108865\n");

  ASSERT_FALSE(config);
  EXPECT_NE(config.error().message.find("postgres.result_max_bytes"), std::string::npos);
}

TEST(AgentConfig, AdvertisesOtherAddressesWhenToldTo) {
  const auto config = load(std::string(kTop) + "[listen]\npeer = \"0.0.0.0:7501\"\n" +
                           "[advertise]\npeer = \"db-host:7501\"\n" + kPostgres);

  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->peer_address, "0.0.0.0:7501");
  EXPECT_EQ(config->advertised_peer_address, "db-host:7501");
}

TEST(AgentConfig, NamesMissingCoordinators) {
  const auto config =
      load(std::string("cluster = \"demo\"\nparticipant = \"orders\"\n") + kPostgres);

  ASSERT_FALSE(config);
  EXPECT_NE(config.error().message.find("coordinators"), std::string::npos);
}

TEST(AgentConfig, RefusesAPortThatIsNone) {
  const auto config = load(std::string(kTop) + kPostgres + "port = 70000\n");

  ASSERT_FALSE(config);
  EXPECT_NE(config.error().message.find("postgres.port"), std::string::npos);
}

TEST(AgentConfig, RefusesAParticipantThatNoGidCanCarry) {
  const auto config = load(std::string("cluster = \"demo\"\nparticipant = \"Orders\"\n") +
                           "coordinators = [\"h:1\"]\n" + kPostgres);

  ASSERT_FALSE(config);
  EXPECT_NE(config.error().message.find("participant"), std::string::npos);
}

}  // namespace
}  // namespace assent::participant
