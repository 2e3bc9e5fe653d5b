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
    to.prepared_statements = 8;
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

class KeptPrepared : public OneConnection {
 protected:
  static Command insert(int id) {
    return {"INSERT INTO t VALUES ($1, 1)", {std::to_string(id)}, true};
  }
  std::string kept() {
    const auto answers = run({{"SELECT count(*) FROM pg_prepared_statements"}});
    return *to_result(answers.value().front()).rows.front().front();
  }
  void expect_done(const Batch& batch) {
    const auto answers = run(batch);
    ASSERT_THAT(answers.value(), SizeIs(batch.size()));
    for (const Answer& answer : *answers) EXPECT_TRUE(answer.ok()) << answer.sql.message;
  }
};

TEST_F(KeptPrepared, ATextThatComesAgain) {
  expect_done({insert(1)});
  EXPECT_EQ(kept(), "0");
  expect_done({{"SELECT 1"}, insert(2), {"SELECT 2"}});
  EXPECT_EQ(kept(), "1");
  expect_done({insert(3), insert(4)});

  EXPECT_EQ(kept(), "1");
  EXPECT_EQ(admin.value("SELECT count(*) FROM t"), "4");
}

TEST_F(KeptPrepared, ErrorOfATextThatIsRefusedIsThatOfItsCommand) {
  const Command wrong{"INSERT INTO nowhere VALUES ($1)", {"1"}, true};
  for (int i = 0; i < 3; ++i) {
    const auto answers = run({{"SELECT 1"}, wrong, {"SELECT 2"}});

    ASSERT_THAT(answers.value(), SizeIs(3));
    EXPECT_TRUE((*answers)[0].ok());
    EXPECT_EQ((*answers)[1].sqlstate(), "42P01");
    EXPECT_TRUE((*answers)[2].skipped());
  }
  EXPECT_EQ(kept(), "0");
}

TEST_F(KeptPrepared, ATextThatIsSkippedIsPreparedAnotherTime) {
  expect_done({insert(1)});

  const auto answers = run({{"SELECT 1 / 0"}, insert(2), insert(3)});

  ASSERT_THAT(answers.value(), SizeIs(3));
  EXPECT_EQ((*answers)[0].sqlstate(), "22012");
  EXPECT_TRUE((*answers)[1].skipped());
  EXPECT_TRUE((*answers)[2].skipped());
  expect_done({insert(2)});
  expect_done({insert(3)});
  EXPECT_EQ(kept(), "1");
}

TEST_F(KeptPrepared, ATextThatFailsLaterStaysKept) {
  expect_done({insert(1)});
  EXPECT_EQ(run({insert(1), {"SELECT 1"}}).value().front().sqlstate(), "23505");
  EXPECT_EQ(run({insert(1), {"SELECT 1"}}).value().front().sqlstate(), "23505");

  expect_done({insert(2)});

  EXPECT_EQ(kept(), "1");
}

TEST_F(KeptPrepared, WhatIsForgottenIsPreparedAnew) {
  expect_done({insert(1)});
  expect_done({insert(2)});
  expect_done({{"DEALLOCATE ALL"}});
  connection->forget_prepared();

  expect_done({insert(3)});
  expect_done({insert(4)});

  EXPECT_EQ(kept(), "1");
}

TEST_F(KeptPrepared, NoMoreThanTheLimit) {
  for (int text = 0; text < 20; ++text) {
    const Command command{"SELECT " + std::to_string(text) + " + $1::int", {"1"}, true};
    expect_done({command});
    expect_done({command});
  }

  EXPECT_EQ(kept(), "8");
  EXPECT_TRUE(connection->prepared_is_full());
}

}  // namespace
}  // namespace assent::postgres
