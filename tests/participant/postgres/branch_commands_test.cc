#include "participant/postgres/branch_commands.h"

#include <gtest/gtest.h>

namespace assent::postgres {
namespace {

TEST(LeavesSessionAlone, StatementsThatReadAndChangeRows) {
  for (const char* sql :
       {"SELECT 1", "insert into t values (1)", "UPDATE t SET n = 1", "DELETE FROM t",
        "WITH x AS (SELECT 1) SELECT * FROM x", "SAVEPOINT s", "ROLLBACK TO s", "LOCK TABLE t"}) {
    EXPECT_TRUE(leaves_session_alone(sql)) << sql;
  }
}

TEST(LeavesSessionAlone, NoOthers) {
  for (const char* sql :
       {"SET work_mem = '1MB'", "DEALLOCATE ALL", "DISCARD ALL", "PREPARE a AS SELECT 1",
        "DECLARE c CURSOR WITH HOLD FOR SELECT 1", "LISTEN c", "DO $$ BEGIN END $$", "CALL p()",
        "CREATE TEMP TABLE t (n int)", "EXECUTE a", "LOAD 'x'", "", "/* */ -- nothing"}) {
    EXPECT_FALSE(leaves_session_alone(sql)) << sql;
  }
}

bool reusable(const std::string& sql, std::vector<Value> parameters = {"1"}) {
  Statement statement;
  statement.sql = sql;
  statement.parameters = std::move(parameters);
  return to_command(statement).reusable;
}

TEST(ClientsCommand, ComesAgainWhenItChangesRowsByParameters) {
  EXPECT_TRUE(reusable("UPDATE t SET n = $1"));
  EXPECT_TRUE(reusable("insert into t values ($1)"));
  EXPECT_FALSE(reusable("UPDATE t SET n = 1", {})) << "its values are in its text";
  EXPECT_FALSE(reusable("SELECT * FROM t WHERE n = $1")) << "its columns may change";
  EXPECT_FALSE(reusable("DELETE FROM t WHERE n = $1 Returning *"));
  EXPECT_FALSE(reusable("SET work_mem = 1"));
}

}  // namespace
}  // namespace assent::postgres
