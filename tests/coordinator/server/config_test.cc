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

TEST(CoordinatorConfig, TheSmallestFileHasDefaults) {
  const auto config = load(kSmallest);

  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->cluster, "demo");
  EXPECT_EQ(config->retention, Millis(600'000));
  EXPECT_EQ(config->replica, ReplicaId(1));
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

}  // namespace
}  // namespace assent::coordinator
