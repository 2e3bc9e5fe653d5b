#include "runtime/config.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

namespace assent::config {
namespace {

File parsed(std::string_view text) {
  return std::move(File::parse(text, "agent.toml").value());
}

std::string complaint(File& file) {
  const Result<void> finished = file.finish();
  return finished ? "" : finished.error().message;
}

TEST(Config, TakesValuesOfEveryTypeByTheirDottedKey) {
  File file = parsed(R"(
cluster = "shop"
peers = ["a:1", "b:2"]
[postgres]
port = 5433
tls = true
)");
  std::string cluster;
  std::int64_t port = 0;
  bool tls = false;
  std::vector<std::string> peers;

  file.require("cluster", cluster);
  file.take("postgres.port", port, 1, 65'535);
  file.take("postgres.tls", tls);
  file.take("peers", peers);

  EXPECT_EQ(complaint(file), "");
  EXPECT_EQ(cluster, "shop");
  EXPECT_EQ(port, 5433);
  EXPECT_TRUE(tls);
  EXPECT_EQ(peers, (std::vector<std::string>{"a:1", "b:2"}));
}

TEST(Config, AMissingKeyLeavesTheDefault) {
  File file = parsed("");
  std::string level = "info";
  std::int64_t port = 5432;
  bool tls = true;
  std::vector<std::string> peers = {"a:1"};

  file.take("log.level", level);
  file.take("postgres.port", port, 1, 65'535);
  file.take("postgres.tls", tls);
  file.take("peers", peers);

  EXPECT_EQ(complaint(file), "");
  EXPECT_EQ(level, "info");
  EXPECT_EQ(port, 5432);
  EXPECT_TRUE(tls);
  EXPECT_EQ(peers.size(), 1u);
}

TEST(Config, ASyntaxErrorNamesFileAndLine) {
  const auto file = File::parse("a = 1\nb = \n", "agent.toml");

  ASSERT_FALSE(file.has_value());
  EXPECT_EQ(file.error().code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(file.error().message.starts_with("agent.toml:2: ")) << file.error().message;
}

TEST(Config, AnUnknownKeyNamesFileLineAndKey) {
  File file = parsed("a = 1\n\n[postgres]\nprot = 5433\n");
  std::int64_t number = 0;
  file.take("a", number, 0, 9);
  file.take("postgres.port", number, 1, 65'535);

  EXPECT_EQ(complaint(file), "agent.toml:4: unknown key postgres.prot");
}

TEST(Config, TheFirstOfSeveralUnknownKeysIsNamed) {
  File file = parsed("z = 1\na = 2\n");

  EXPECT_EQ(complaint(file), "agent.toml:1: unknown key z");
}

TEST(Config, AnEmptyTableOfKnownKeysIsNoComplaint) {
  File file = parsed("[postgres]\n[posgres]\n");
  std::int64_t port = 0;
  file.take("postgres.port", port, 1, 65'535);

  EXPECT_EQ(complaint(file), "agent.toml:2: unknown key posgres");
}

TEST(Config, AValueOfAnotherTypeNamesBothTypes) {
  File file = parsed("port = \"5433\"\n");
  std::int64_t port = 1;
  file.take("port", port, 1, 65'535);

  EXPECT_EQ(complaint(file), "agent.toml:1: port is a string, but must be an integer");
  EXPECT_EQ(port, 1);
}

TEST(Config, NoTypeIsTakenForAnother) {
  File file = parsed("a = 1\n");
  bool flag = false;
  file.take("a", flag);
  EXPECT_EQ(complaint(file), "agent.toml:1: a is an integer, but must be a boolean");

  File other = parsed("a = [\"x\", 1]\n");
  std::vector<std::string> list;
  other.take("a", list);
  EXPECT_EQ(complaint(other), "agent.toml:1: a is not an array of strings");
}

TEST(Config, ANumberOutOfRangeNamesTheRange) {
  for (const char* number : {"0", "65536"}) {
    File file = parsed(std::string("port = ") + number);
    std::int64_t port = 1;
    file.take("port", port, 1, 65'535);

    EXPECT_EQ(complaint(file),
              std::string("agent.toml:1: port is ") + number + ", but must be 1 to 65535");
    EXPECT_EQ(port, 1);
  }
}

TEST(Config, ARequiredKeyMustBeThereAndNotEmpty) {
  for (const char* text : {"", "cluster = \"\""}) {
    File file = parsed(text);
    std::string cluster = "default";
    file.require("cluster", cluster);

    EXPECT_EQ(complaint(file), "agent.toml: cluster is missing or empty");
  }
}

TEST(Config, AMisspeltKeyExplainsAMissingOne) {
  File file = parsed("clutser = \"shop\"\n");
  std::string cluster;
  file.require("cluster", cluster);

  EXPECT_EQ(complaint(file), "agent.toml:1: unknown key clutser");
}

TEST(Config, TheFirstWrongValueIsNamed) {
  File file = parsed("a = 1\nb = 2\n");
  std::string text;
  file.take("b", text);
  file.take("a", text);

  EXPECT_EQ(complaint(file), "agent.toml:2: b is an integer, but must be a string");
}

TEST(Config, LoadsAFileAndNamesOneThatCannotBeRead) {
  const std::string path = testing::TempDir() + "config_test.toml";
  std::ofstream(path) << "cluster = \"shop\"\n";
  std::string cluster;

  auto file = File::load(path);
  ASSERT_TRUE(file.has_value());
  file->require("cluster", cluster);
  EXPECT_EQ(cluster, "shop");
  std::remove(path.c_str());

  const auto missing = File::load(path);
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().message, "cannot read " + path + ": No such file or directory");
}

TEST(Config, ADirectoryIsNoFile) {
  const auto file = File::load(testing::TempDir());

  ASSERT_FALSE(file.has_value());
  EXPECT_TRUE(file.error().message.ends_with("Is a directory")) << file.error().message;
}

}  // namespace
}  // namespace assent::config
