// One replica, put together: the log, the three ports, and the office while it holds it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/error.h"
#include "coordinator/server/config.h"
#include "coordinator/server/enrolment.h"
#include "coordinator/server/group_log.h"
#include "coordinator/server/latencies.h"
#include "coordinator/server/life_inquiry.h"
#include "coordinator/server/office_runner.h"
#include "coordinator/server/operator_commands.h"
#include "runtime/deadline_timer.h"
#include "runtime/rpc/ports.h"

namespace boost::asio {
class io_context;
}

namespace assent::coordinator {

// What a replica runs while it holds the office, and drops when it loses it (R4).
struct Term {
  Term(boost::asio::io_context& loop, const Config& config, GroupLog& log);
  ~Term();  // answers everyone who waits

  OfficeRunner office;
  LifeInquiry lives;
  Enrolment enrolment;
  OperatorCommands commands;
  const Slot after;     // the last slot that was executed before
  const LogTime since;  // when it was
};

// What the handlers of all ports work with. Lives as long as the ports.
struct Services {
  const Config& config;
  GroupLog& log;
  std::unique_ptr<Term> term;         // none: this replica does not serve
  commit::OfficeCounters past_terms;  // of this process
  Latencies answered{};               // of commits that were answered COMMITTED by this process

  // None: nobody has told of such a replica.
  [[nodiscard]] std::optional<Member> member(ReplicaId replica) const;
  // kNotLeader, naming the leader's port of this kind where one is known.
  [[nodiscard]] Error not_leader(std::string Member::*port) const;
  // Of all terms of this process, the present one too.
  [[nodiscard]] commit::OfficeCounters office_counters() const;
};

class Replica {
 public:
  // `refused` is called on the loop when this replica must not go on; the sentence says why and
  // what to do.
  Replica(
      boost::asio::io_context& loop, Config config,
      std::function<void(const Error&)> refused = [](const Error&) {});
  ~Replica();

  // Reads the log, opens the ports and takes part in the group; it serves when it is elected.
  Result<void> open();

  // Answers what is in flight, hands the office over, closes the ports and calls `done`.
  void drain(std::function<void()> done);

 private:
  void take_office();
  void lose_office();
  void leave(std::function<void()> done);

  boost::asio::io_context& loop_;
  const Config config_;
  const std::function<void(const Error&)> refused_;
  std::unique_ptr<GroupLog> log_;
  std::unique_ptr<Services> services_;
  std::unique_ptr<rpc::Ports> ports_;
  std::function<void()> office_gone_;  // set while a stop waits for a successor
  DeadlineTimer successor_;            // how long it waits
};

}  // namespace assent::coordinator
