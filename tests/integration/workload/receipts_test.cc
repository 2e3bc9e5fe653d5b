#include "integration/workload/receipts.h"

#include <gtest/gtest.h>

#include <iterator>

namespace assent::workload {
namespace {

CommitResult answer(CommitState state, const std::string& transaction) {
  CommitResult result;
  result.state = state;
  result.transaction = transaction;
  return result;
}

std::string content(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(Receipts, NamesAreNeverTheSame) {
  Receipts receipts(testing::TempDir() + "/names");
  EXPECT_NE(receipts.next_name(), receipts.next_name());
}

TEST(Receipts, AnUnknownOneIsWrittenAsWhatItWasResolvedTo) {
  const std::string path = testing::TempDir() + "/answers";
  Receipts receipts(path);

  receipts.told("first", answer(CommitState::kUnknown, "t1"));
  receipts.told("second", answer(CommitState::kCommitted, "t2"));
  receipts.told("third", answer(CommitState::kUnknown, "t3"));
  receipts.resolved("t1", CommitState::kAborted);
  receipts.resolved("t3", CommitState::kUnknown);

  EXPECT_TRUE(receipts.close());
  EXPECT_EQ(content(path), "second committed t2\nfirst aborted t1\nthird unknown t3\n");
}

TEST(Receipts, AFileThatCannotBeWrittenIsTold) {
  Receipts receipts("/nonexistent/receipts");
  receipts.told("first", answer(CommitState::kCommitted, "t1"));
  EXPECT_FALSE(receipts.close());
}

}  // namespace
}  // namespace assent::workload
