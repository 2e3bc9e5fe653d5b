// The checks that an agent makes, each with its remedy, and the schema that it brings up to date.
#include "tests/participant/postgres/database_fixture.h"

namespace assent::postgres {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Preflight : public DatabaseTest {
 protected:
  std::vector<Finding> examine(DatabaseOptions with) {
    Life agent(loop, std::move(with));
    return agent
        .call<std::vector<Finding>>([&](auto done) { agent.database.doctor(std::move(done)); })
        .value();
  }
  std::vector<Finding> examine() { return examine(options()); }

  static Finding find(const std::vector<Finding>& findings, const std::string& check) {
    for (const Finding& finding : findings) {
      if (finding.check == check) return finding;
    }
    ADD_FAILURE() << "nothing was found of " << check;
    return {};
  }
  // A setting of the work role, for the time of one look.
  Finding with_setting(const std::string& setting, const std::string& value,
                       const std::string& check) {
    admin.query("ALTER ROLE assent_work SET " + setting + " = " + value);
    const auto finding = find(examine(), check);
    admin.query("ALTER ROLE assent_work RESET " + setting);
    return finding;
  }
};

TEST_F(Preflight, FindsNothingWrongWithAGoodServer) {
  for (const Finding& finding : examine()) {
    EXPECT_EQ(finding.verdict, Verdict::kGood) << finding.check << ": " << finding.found;
    EXPECT_THAT(finding.remedy, IsEmpty());
  }
}

TEST_F(Preflight, EveryCheckOfTheListIsMade) {
  const auto findings = examine();
  for (const char* check :
       {"server", "version", "max_prepared_transactions", "prepared_transactions", "fsync",
        "full_page_writes", "max_connections", "standbys", "roles", "schema", "participant", "gid",
        "strangers", "work_role", "synchronous_commit", "idle_in_transaction_session_timeout",
        "default_transaction_read_only"}) {
    find(findings, check);
  }
}

TEST_F(Preflight, UnreachableServerIsAFinding) {
  DatabaseOptions nowhere = options();
  nowhere.socket_directory = "/nonexistent";

  const auto findings = examine(nowhere);

  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].verdict, Verdict::kFailure);
  EXPECT_THAT(findings[0].remedy, HasSubstr("PostgreSQL runs"));
}

TEST_F(Preflight, WrongDatabaseAndWrongRoleSaySo) {
  DatabaseOptions wrong = options();
  wrong.database = "no_such_database";
  EXPECT_THAT(examine(wrong).at(0).found, HasSubstr("no_such_database"));
  wrong = options();
  wrong.control_role = "no_such_role";
  EXPECT_THAT(examine(wrong).at(0).found, HasSubstr("no_such_role"));
  wrong = options();
  wrong.work_role = "no_such_role";
  EXPECT_EQ(find(examine(wrong), "roles").verdict, Verdict::kFailure);
}

TEST_F(Preflight, FewerSlotsThanConnectionsIsAWarning) {
  DatabaseOptions many = options();
  many.work_connections = 5'000;

  const auto findings = examine(many);

  EXPECT_EQ(find(findings, "max_prepared_transactions").verdict, Verdict::kWarning);
  EXPECT_THAT(find(findings, "max_prepared_transactions").remedy, HasSubstr("53200"));
  EXPECT_EQ(find(findings, "max_connections").verdict, Verdict::kWarning);
}

// Replication.PrepareAndFinishesWaitWhateverTheRolesDefaultIs shows why.
TEST_F(Preflight, SynchronousCommitOffIsNamedAndHarmsNoBranch) {
  const auto finding = with_setting("synchronous_commit", "off", "synchronous_commit");

  EXPECT_EQ(finding.verdict, Verdict::kGood);
  EXPECT_THAT(finding.found, HasSubstr("off; branches are prepared and ended with on"));
}

TEST_F(Preflight, SettingsThatHarmBranchesAreWarnings) {
  EXPECT_EQ(with_setting("idle_in_transaction_session_timeout", "1000",
                         "idle_in_transaction_session_timeout")
                .verdict,
            Verdict::kWarning);
  EXPECT_EQ(
      with_setting("default_transaction_read_only", "on", "default_transaction_read_only").verdict,
      Verdict::kWarning);
}

TEST_F(Preflight, FsyncOffIsAWarning) {
  server.stop_cleanly();
  server.start("fsync=off");

  const auto finding = find(examine(), "fsync");

  server.stop_cleanly();
  server.start();
  admin = server.admin(name);
  EXPECT_EQ(finding.verdict, Verdict::kWarning);
  EXPECT_THAT(finding.found, HasSubstr("power cut"));
}

TEST_F(Preflight, AgentBringsAnOlderSchemaUpToDate) {
  admin.query(
      "DROP FUNCTION assent.schema_version(); DROP FUNCTION assent.record_commit(text, text);"
      "DROP FUNCTION assent.record_branch(text, text);"
      "DROP TABLE assent.outcome, assent.landmark, assent.branch_outcome, "
      "assent.branch_outcome_floor; ALTER TABLE assent.epoch DROP COLUMN "
      "outcome_key");

  const auto agent = enrolled();

  EXPECT_EQ(admin.value("SELECT assent.schema_version()"), "5");
  EXPECT_EQ(admin.value("SELECT owner.rolname FROM pg_class c JOIN pg_roles owner ON owner.oid = "
                        "c.relowner WHERE c.oid = 'assent.outcome'::regclass"),
            "assent_agent");
  const BranchId id = agent->open();
  agent->run(id, "INSERT INTO t VALUES (1, 1)");
  EXPECT_TRUE(agent->vote({id, kBallot, true}).result) << "the work role may record commits";
}

TEST_F(Preflight, AgentBringsASchemaOfVersion3UpToDate) {
  admin.query(
      "CREATE OR REPLACE FUNCTION assent.schema_version() RETURNS integer LANGUAGE sql IMMUTABLE "
      "AS "
      "'SELECT 3'; DROP FUNCTION assent.record_branch(text, text);"
      "DROP TABLE assent.branch_outcome, assent.branch_outcome_floor;"
      "ALTER TABLE assent.landmark DROP COLUMN outcome_rows, DROP COLUMN left_at;"
      "INSERT INTO assent.landmark VALUES (9, '0/1', 1, 'then')");
  DatabaseOptions rows = options();
  rows.outcome_row = true;

  const auto agent = enrolled(rows);

  EXPECT_EQ(admin.value("SELECT assent.schema_version()"), "5");
  EXPECT_EQ(admin.value("SELECT outcome_rows FROM assent.landmark WHERE server_started = 'then'"),
            "f");
  const auto [id, evidence] = agent->prepared("INSERT INTO t VALUES (1, 1)");
  EXPECT_EQ(agent->finish(id, Outcome::kCommitted, evidence), branch::FinishResult::kDone);
}

// As an agent of the version before left it.
TEST_F(Preflight, AgentBringsASchemaOfVersion4UpToDate) {
  admin.query(
      "CREATE OR REPLACE FUNCTION assent.schema_version() RETURNS integer LANGUAGE sql IMMUTABLE "
      "AS 'SELECT 4'; ALTER TABLE assent.landmark DROP COLUMN left_at;"
      "INSERT INTO assent.landmark VALUES (9, '0/7', 1, 'then')");

  const auto agent = enrolled();

  EXPECT_EQ(admin.value("SELECT assent.schema_version()"), "5");
  const StoredLandmark kept = agent->stored_landmark(Epoch(9));
  EXPECT_EQ(kept.wal_position, 7u);
  EXPECT_EQ(kept.left_at, 0u);
}

TEST_F(Preflight, AgentThatMayNotMendItsSchemaSaysWhatToDo) {
  admin.query(
      "DROP FUNCTION assent.schema_version(); ALTER SCHEMA assent OWNER TO postgres;"
      "GRANT USAGE ON SCHEMA assent TO assent_agent");

  const auto identity = life()->identify();

  admin.query("ALTER SCHEMA assent OWNER TO assent_agent");
  server.install_schema(name);
  ASSERT_FALSE(identity);
  EXPECT_THAT(identity.error().message, HasSubstr("install.sql"));
}

// Everybody may execute it, unless somebody has revoked that.
TEST_F(Preflight, FunctionThatMayNotBeExecutedIsNamedWithTheRemedy) {
  for (const char* function : {"pg_control_system", "pg_control_checkpoint"}) {
    const std::string on = std::string("EXECUTE ON FUNCTION ") + function + "()";
    admin.query("REVOKE " + on + " FROM PUBLIC, assent_agent, assent_work");

    const auto findings = examine();
    const auto identity = life()->identify();

    admin.query("GRANT " + on + " TO PUBLIC, assent_agent, assent_work");
    ASSERT_EQ(findings.size(), 1U);
    EXPECT_EQ(findings[0].verdict, Verdict::kFailure);
    EXPECT_THAT(findings[0].found, HasSubstr(function));
    EXPECT_THAT(findings[0].found, HasSubstr("role assent_agent"));
    EXPECT_THAT(findings[0].remedy, HasSubstr("install.sql"));
    ASSERT_FALSE(identity);
    EXPECT_EQ(identity.error().code, ErrorCode::kInvalidArgument) << "waiting does not mend it";
  }
}

TEST_F(Preflight, UninstallTakesEverythingAway) {
  server.uninstall_schema(name);

  EXPECT_EQ(admin.value("SELECT to_regnamespace('assent') IS NULL"), "t");
  EXPECT_EQ(admin.value("SELECT count(*) FROM pg_proc p JOIN pg_namespace n ON n.oid = "
                        "p.pronamespace WHERE n.nspname = 'assent'"),
            "0");
}

}  // namespace
}  // namespace assent::postgres
