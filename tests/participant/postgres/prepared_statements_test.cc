#include "participant/postgres/prepared_statements.h"

#include <gtest/gtest.h>

namespace assent::postgres {
namespace {

class Texts : public ::testing::Test {
 protected:
  // The name by which the text is used now; empty: none. Told to be prepared when it has to be.
  std::string name(const std::string& text) {
    const auto use = texts.use(text);
    if (!use) return "";
    if (use->prepare_first) texts.prepared(use->name);
    return use->name;
  }

  PreparedStatements texts{3};
};

TEST_F(Texts, GetANameTheSecondTimeAndKeepIt) {
  EXPECT_EQ(name("a"), "");
  const std::string first = name("a");
  EXPECT_NE(first, "");
  EXPECT_EQ(name("a"), first);
  EXPECT_EQ(name("b"), "");
  EXPECT_NE(name("b"), first);
}

TEST_F(Texts, AreNotUsedByNameBeforeTheServerHasIt) {
  texts.use("a");
  const auto first = texts.use("a");
  ASSERT_TRUE(first && first->prepare_first);
  EXPECT_FALSE(texts.use("a"));

  texts.prepared(first->name);

  const auto next = texts.use("a");
  ASSERT_TRUE(next);
  EXPECT_FALSE(next->prepare_first);
}

TEST_F(Texts, ThatAreRefusedAreTriedAgainUnderAnotherName) {
  texts.use("a");
  const auto first = texts.use("a");

  texts.refused(first->name);

  const auto next = texts.use("a");
  ASSERT_TRUE(next && next->prepare_first);
  EXPECT_NE(next->name, first->name);
}

TEST_F(Texts, ThatAreForgottenGetOtherNames) {
  texts.use("a");
  const auto first = texts.use("a");
  texts.forget();
  texts.prepared(first->name);  // late

  EXPECT_FALSE(texts.use("a"));
  const auto next = texts.use("a");

  ASSERT_TRUE(next && next->prepare_first);
  EXPECT_NE(next->name, first->name);
}

TEST_F(Texts, BeyondTheLimitGetNone) {
  for (const char* text : {"a", "b", "c"}) texts.use(text);
  EXPECT_TRUE(texts.full());
  texts.use("d");
  EXPECT_FALSE(texts.use("d"));
  EXPECT_TRUE(texts.use("a"));

  texts.forget();

  EXPECT_FALSE(texts.full());
}

TEST_F(Texts, ThatAreLongGetNone) {
  const std::string text(5'000, 'a');
  texts.use(text);
  EXPECT_FALSE(texts.use(text));
}

TEST(NoTexts, AreKeptWithoutRoom) {
  PreparedStatements none(0);
  none.use("a");
  EXPECT_FALSE(none.use("a"));
  EXPECT_FALSE(none.full());
}

}  // namespace
}  // namespace assent::postgres
