// One connection by itself, and what belongs to which answer. A batch without BEGIN commits at its
// Sync: what is said then comes behind the last answer.
#include <signal.h>

#include "participant/postgres/libpq_connection.h"
#include "tests/participant/postgres/database_fixture.h"

namespace assent::postgres {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class OneConnection : public DatabaseTest {
 protected:
  OneConnection() {
    ConnectionOptions to;
    to.host = proxy.directory();
    to.database = name;
    to.user = "assent_work";
    LibpqConnection::open(loop.context(), to, [this](Result<std::shared_ptr<Connection>> opened) {
      connection = opened.value();
    });
    EXPECT_TRUE(loop.run_until([&] { return connection != nullptr; }));
  }
  ~OneConnection() override { connection->close(); }

  Result<Answers> run(Batch batch) {
    std::optional<Result<Answers>> answered;
    connection->send(std::move(batch), [&](Result<Answers> answers) { answered = answers; });
    EXPECT_TRUE(loop.run_until([&] { return answered.has_value(); }));
    return answered.value_or(failure(ErrorCode::kUnavailable, "no answer came"));
  }

  // What is carried out when a transaction that has written to `t` commits.
  void at_commit(const std::string& plpgsql) {
    admin.query("CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN " + plpgsql +
                " RETURN NULL; END $$; CREATE CONSTRAINT TRIGGER late AFTER INSERT ON t"
                " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION late()");
  }

  void expect_warning_with_last_answer() {
    at_commit("RAISE WARNING 'late';");

    const auto answers = run({{"SELECT 1"}, {"INSERT INTO t VALUES (1, 1)"}});

    ASSERT_THAT(answers.value(), SizeIs(2));
    EXPECT_THAT(answers->front().warnings, IsEmpty());
    EXPECT_THAT(answers->back().warnings, ElementsAre("late"));
  }

  testing::Proxy proxy{loop.context(), server.socket_directory()};
  std::shared_ptr<Connection> connection;
};

TEST_F(OneConnection, WarningOfTheCommitAtTheSyncBelongsToTheLastAnswer) {
  expect_warning_with_last_answer();
}

TEST_F(OneConnection, WarningThatIsReadAfterTheLastAnswerBelongsToItToo) {
  proxy.deliver_singly();

  expect_warning_with_last_answer();
}

TEST_F(OneConnection, ErrorOfTheCommitAtTheSyncIsThatOfTheLastCommand) {
  at_commit("RAISE WARNING 'late'; RAISE EXCEPTION USING ERRCODE = '40001';");

  const auto answers = run({{"SELECT 1"}, {"INSERT INTO t VALUES (1, 1)"}});

  ASSERT_THAT(answers.value(), SizeIs(2));
  EXPECT_FALSE(answers->back().ok());
  EXPECT_EQ(answers->back().sqlstate(), "40001");
  EXPECT_THAT(answers->back().warnings, ElementsAre("late"));
  EXPECT_EQ(content(), "");
  EXPECT_FALSE(connection->maybe_in_transaction());
  EXPECT_TRUE(run({{"SELECT 1"}}).value().front().ok()) << "the connection goes on";
}

TEST_F(OneConnection, ErrorOfTheCommitThatIsReadAfterTheLastAnswerIsItsOwnToo) {
  at_commit("RAISE EXCEPTION USING ERRCODE = '40001';");
  proxy.deliver_singly();

  const auto answers = run({{"INSERT INTO t VALUES (1, 1)"}});

  ASSERT_THAT(answers.value(), SizeIs(1));
  EXPECT_EQ(answers->front().sqlstate(), "40001");
}

// A bare Sync has no command that an error could belong to.
TEST_F(OneConnection, EndOfTheSessionAtABareSyncIsALoss) {
  const pid_t backend = connection->backend_pid();
  kill(backend, SIGSTOP);
  std::optional<Result<Answers>> answered;
  connection->send({}, [&](Result<Answers> answers) { answered = answers; });
  admin.query("SELECT pg_terminate_backend(" + std::to_string(backend) + ")");

  kill(backend, SIGCONT);

  ASSERT_TRUE(loop.run_until([&] { return answered.has_value(); }));
  ASSERT_FALSE(*answered);
  EXPECT_EQ(answered->error().code, ErrorCode::kUnavailable);
  EXPECT_FALSE(connection->is_open());
}

}  // namespace
}  // namespace assent::postgres
