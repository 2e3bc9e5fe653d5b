#include "runtime/failpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <set>
#include <sstream>

namespace assent {
namespace {

using failpoints::Plan;
using testing::ElementsAre;
using testing::HasSubstr;

std::string why_refused(const std::string& text) {
  const auto plan = failpoints::parse(text);
  return plan ? "" : plan.error().message;
}

TEST(Failpoint, EachNameStandsOnce) {
  const std::set<std::string_view> names(kFailpoints.begin(), kFailpoints.end());
  EXPECT_EQ(names.size(), kFailpoints.size());
  EXPECT_FALSE(names.contains(""));
}

TEST(Failpoint, UnknownNameIsRefusedAndTheKnownOnesAreTold) {
  const std::string why = why_refused("leader.nowhere");
  EXPECT_THAT(why, HasSubstr("'leader.nowhere'"));
  EXPECT_THAT(why, HasSubstr("leader.decision.executed"));
  EXPECT_THAT(why_refused("leader.nowhere,agent.prepared"), HasSubstr("'leader.nowhere'"));
  EXPECT_THAT(why_refused(""), HasSubstr("none"));
}

TEST(Failpoint, UnknownOptionIsRefused) {
  for (const char* const option : {"die", "0", "-1", "2x"}) {
    EXPECT_THAT(why_refused(std::string("agent.prepared:") + option), HasSubstr(option));
  }
}

TEST(Failpoint, PlanHasItsPathItsPassageAndItsAction) {
  const Plan simple = failpoints::parse("agent.prepared").value();
  EXPECT_THAT(simple.path, ElementsAre(Failpoint::find("agent.prepared")));
  EXPECT_EQ(simple.nth, 1u);
  EXPECT_EQ(simple.action, Plan::Action::kKill);

  const Plan plan = failpoints::parse("agent.prepare.sending,agent.sql.sent:2:stop").value();
  EXPECT_THAT(plan.path, ElementsAre(Failpoint::find("agent.prepare.sending"),
                                     Failpoint::find("agent.sql.sent")));
  EXPECT_EQ(plan.nth, 2u);
  EXPECT_EQ(plan.action, Plan::Action::kStop);
}

// A process of its own that arms itself by this environment and then does its work.
class Armed {
 public:
  Armed(const std::string& failpoint, const std::function<void()>& work) {
    pid_ = ::fork();
    if (pid_ != 0) return;
    ::setenv("ASSENT_FAILPOINT", failpoint.c_str(), 1);
    ::setenv("ASSENT_FAILPOINT_HITS", hits_.c_str(), 1);
    const auto armed = failpoints::arm();
    if (armed) work();
    ::_exit(armed ? 0 : 2);
  }
  ~Armed() { std::filesystem::remove(hits_); }
  Armed(const Armed&) = delete;
  Armed& operator=(const Armed&) = delete;

  // The status of waitpid when it ends or stops.
  int wait() {
    int status = 0;
    EXPECT_EQ(::waitpid(pid_, &status, WUNTRACED), pid_);
    return status;
  }

  void go_on() const { ::kill(pid_, SIGCONT); }

  // The file of hits.
  [[nodiscard]] std::string told() const {
    std::ostringstream text;
    text << std::ifstream(hits_).rdbuf();
    return text.str();
  }

 private:
  const std::string hits_ =
      testing::TempDir() + "failpoint-hits-" + std::to_string(::getpid());  // before the fork
  pid_t pid_ = 0;
};

#if ASSENT_FAILPOINTS

TEST(Failpoint, KillsThereAndNowhereElse) {
  Armed process("agent.prepared", [] {
    failpoint("agent.finish.done");
    failpoint("agent.prepared");
    ::_exit(3);
  });
  const int status = process.wait();
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
  EXPECT_EQ(process.told(), "agent.prepared\n");
}

TEST(Failpoint, PassesGoByBeforeTheNth) {
  Armed process("agent.prepared:3", [] {
    failpoint("agent.prepared");
    failpoint("agent.prepared");
    ::_exit(3);
  });
  const int status = process.wait();
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 3) << status;
  EXPECT_EQ(process.told(), "");
}

TEST(Failpoint, PathIsPassedInItsOrder) {
  Armed too_early("agent.prepare.sending,agent.sql.sent", [] {
    failpoint("agent.sql.sent");
    failpoint("agent.prepare.sending");
    ::_exit(3);
  });
  EXPECT_TRUE(WIFEXITED(too_early.wait()));
  Armed in_order("agent.prepare.sending,agent.sql.sent", [] {
    failpoint("agent.sql.sent");
    failpoint("agent.prepare.sending");
    failpoint("agent.sql.sent");
    ::_exit(3);
  });
  EXPECT_TRUE(WIFSIGNALED(in_order.wait()));
  EXPECT_EQ(in_order.told(), "agent.sql.sent\n");
}

TEST(Failpoint, StopsOnceAndGoesOn) {
  Armed process("agent.prepared:stop", [] {
    failpoint("agent.prepared");
    failpoint("agent.prepared");
    ::_exit(3);
  });
  const int stopped = process.wait();
  EXPECT_TRUE(WIFSTOPPED(stopped) && WSTOPSIG(stopped) == SIGSTOP) << stopped;
  process.go_on();
  const int ended = process.wait();
  EXPECT_TRUE(WIFEXITED(ended) && WEXITSTATUS(ended) == 3) << ended;
}

// Armed for nothing, and ordered by its own hand.
class Ordered {
 public:
  explicit Ordered(const std::function<void(const Ordered&)>& work) {
    ::setenv("ASSENT_FAILPOINT_ORDERS", orders_.c_str(), 1);
    process_.emplace("log.persisted:1000", [&] { work(*this); });
    ::unsetenv("ASSENT_FAILPOINT_ORDERS");
  }
  ~Ordered() { std::filesystem::remove(orders_); }
  Ordered(const Ordered&) = delete;
  Ordered& operator=(const Ordered&) = delete;

  void give(const std::string& plan) const {
    std::ofstream(orders_) << plan << '\n';
    ::raise(SIGUSR2);
  }

  int wait() { return process_->wait(); }
  [[nodiscard]] std::string told() const { return process_->told(); }

 private:
  const std::string orders_ = testing::TempDir() + "failpoint-orders-" + std::to_string(::getpid());
  std::optional<Armed> process_;
};

TEST(Failpoint, OrderArmsAProcessThatRuns) {
  Ordered process([](const Ordered& self) {
    failpoint("agent.prepared");
    self.give("agent.prepared");
    failpoint("agent.finish.done");
    failpoint("agent.prepared");
    ::_exit(3);
  });
  const int status = process.wait();
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
  EXPECT_EQ(process.told(), "ordered\nagent.prepared\n");
}

TEST(Failpoint, OrderTakesThePlaceOfThePlanBefore) {
  Ordered process([](const Ordered& self) {
    self.give("agent.prepare.sending,agent.prepared");
    failpoint("agent.prepare.sending");
    self.give("agent.finish.sending,agent.prepared");
    failpoint("agent.prepared");
    self.give("");
    failpoint("agent.finish.sending");
    failpoint("agent.prepared");
    ::_exit(3);
  });
  const int status = process.wait();
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 3) << status;
  EXPECT_EQ(process.told(), "ordered\nordered\nordered\n");
}

#else

TEST(Failpoint, ProgramWithoutThemRefusesToBelieveInOne) {
  Armed process("agent.prepared", [] {});
  const int status = process.wait();
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 2) << status;
}

#endif

TEST(Failpoint, UnknownNameArmsNothing) {
  Armed process("leader.nowhere", [] {});
  const int status = process.wait();
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 2) << status;
}

}  // namespace
}  // namespace assent
