// What a statement may return.
#include "tests/participant/postgres/database_fixture.h"

namespace assent::postgres {
namespace {

using ::testing::HasSubstr;

class Results : public DatabaseTest {
 protected:
  std::unique_ptr<Life> limited_to(std::uint64_t bytes) {
    DatabaseOptions limited = options();
    limited.result_max_bytes = bytes;
    return enrolled(limited);
  }
};

TEST_F(Results, ResultLargerThanAllowedEndsTheBranchAndNotTheMemory) {
  const auto agent = limited_to(1u << 20);
  const BranchId id = agent->open();

  agent->start_statement(id, {"SELECT repeat('x', 1000) FROM generate_series(1, 10000000)", {}});

  const auto lost = agent->await<branch::ConnectionLost>(id);
  EXPECT_EQ(lost.why.code, ErrorCode::kSql);
  EXPECT_EQ(lost.why.sql->sqlstate, "54000");
  EXPECT_THAT(lost.why.sql->hint, HasSubstr("result_max_bytes"));
  EXPECT_EQ(agent->value(agent->open(), "SELECT length(repeat('x', 500000))"), "500000");
}

TEST_F(Results, ResultOfOneLargeValueIsLimitedToo) {
  const auto agent = limited_to(1u << 20);
  const BranchId id = agent->open();

  agent->start_statement(id, {"SELECT repeat('x', 50000000)", {}});

  EXPECT_EQ(agent->await<branch::ConnectionLost>(id).why.sql->sqlstate, "54000");
}

TEST_F(Results, ResultWithinTheLimitPassesWhole) {
  const auto agent = limited_to(2u << 20);

  const auto done =
      agent->run(agent->open(), "SELECT repeat('x', 1000) FROM generate_series(1, 1500)");

  ASSERT_TRUE(done.result) << done.result.error().message;
  EXPECT_EQ(done.result.value()->rows.size(), 1500U);
}

}  // namespace
}  // namespace assent::postgres
