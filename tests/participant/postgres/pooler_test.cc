// A connection pooler between agent and server: refused, because it breaks what the agent relies
// on.
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/participant/postgres/database_fixture.h"

namespace assent::postgres {
namespace {

using ::testing::HasSubstr;

constexpr char kPgbouncer[] = "/usr/sbin/pgbouncer";

class Pooler : public DatabaseTest {
 protected:
  Result<Position> identify_through(const std::string& socket_directory) {
    DatabaseOptions through = options();
    through.socket_directory = socket_directory;
    Life agent(loop, through);
    return agent.identify();
  }

  static void expect_refused(const Result<Position>& identity) {
    ASSERT_FALSE(identity);
    EXPECT_EQ(identity.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(identity.error().message, HasSubstr("pooler"));
  }
};

TEST_F(Pooler, ThatHidesTheBackendsProcessIdIsRefused) {
  testing::Proxy proxy(loop.context(), server.socket_directory());
  EXPECT_TRUE(identify_through(proxy.directory())) << "what hides nothing is let in";

  proxy.hide_backends();

  expect_refused(identify_through(proxy.directory()));
}

// pgbouncer in transaction mode. Debian's package starts it as a service, so the test is content
// with machines that have it.
class Pgbouncer : public Pooler {
 protected:
  ~Pgbouncer() override {
    if (process_ == 0) return;
    kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
  }

  // Its socket directory, when it serves.
  std::string start(const std::string& setting) {
    const std::string directory = server.socket_directory() + "/pooler";
    std::filesystem::remove_all(directory);
    std::filesystem::create_directory(directory);
    std::filesystem::permissions(directory, std::filesystem::perms::all);
    std::ofstream(directory + "/users") << R"("assent_agent" "" "assent_work" "" "postgres" "")";
    std::ofstream(directory + "/pgbouncer.ini")
        << "[databases]\n* = host=" << server.socket_directory() << "\n[pgbouncer]\n"
        << "listen_port = 5432\nunix_socket_dir = " << directory << "\nauth_type = trust\n"
        << "auth_file = " << directory << "/users\npool_mode = transaction\n"
        << setting << "\n";
    process_ = server.start_program({kPgbouncer, directory + "/pgbouncer.ini"});
    EXPECT_TRUE(
        loop.run_until([&] { return std::filesystem::exists(directory + "/.s.PGSQL.5432"); }));
    return directory;
  }

 private:
  pid_t process_ = 0;
};

TEST_F(Pgbouncer, InTransactionModeIsRefused) {
  if (access(kPgbouncer, X_OK) != 0) GTEST_SKIP() << "pgbouncer is not installed";

  expect_refused(identify_through(start("ignore_startup_parameters = options")));
}

TEST_F(Pgbouncer, ThatTakesNoStartupOptionsIsRefusedByItsOwnWords) {
  if (access(kPgbouncer, X_OK) != 0) GTEST_SKIP() << "pgbouncer is not installed";

  const auto identity = identify_through(start(""));

  ASSERT_FALSE(identity);
  EXPECT_THAT(identity.error().message, HasSubstr("unsupported startup parameter: options"));
}

}  // namespace
}  // namespace assent::postgres
