// One life of an agent, put together: database, enrolment, branches and the three ports.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "base/error.h"
#include "participant/postgres/database.h"
#include "participant/server/branch_runner.h"
#include "participant/server/config.h"
#include "participant/server/registration.h"
#include "runtime/rpc/ports.h"

namespace boost::asio {
class io_context;
}

namespace assent::participant {

// What the handlers of all ports work with. Lives as long as the ports.
struct Services {
  const Config& config;
  postgres::Database& database;
  Enrolment enrolment;                     // epoch 0 before it was issued
  std::unique_ptr<BranchRunner> branches;  // null before the epoch is ours
  bool open = false;                       // new branches may be opened (R6)
  std::string nonce = {};                  // names this life
  bool heard = true;                       // the coordinator answers
};

class Agent {
 public:
  Agent(boost::asio::io_context& loop, Config config);
  ~Agent();

  // Opens the ports (an error is answered at once: a port in use usually is an agent that runs
  // already), then starts in this order: database, enrolment, epoch, finishing, fence, new
  // branches. What ends this life goes to `failed`, once; the caller ends the process.
  Result<void> start(std::function<void(Error)> failed);

  // Answers what is in flight, tells the coordinator, closes everything and calls `done`.
  void drain(std::function<void()> done);

 private:
  struct Retry;

  void identify();
  void find_stored(const postgres::Position& position);
  void enrol(const FoundDatabase& found);
  void enrolment_refused(const Error& error);
  void claim_epoch(Epoch stored, const Enrolment& enrolment);
  void serve(const Enrolment& enrolment);
  void fence();
  void retry_or_fail(const Error& error, void (Agent::*again)());
  void fail(const Error& error);

  boost::asio::io_context& loop_;
  const Config config_;
  std::function<void(Error)> failed_;
  postgres::Database database_;
  Registration registration_;
  Services services_;
  rpc::Ports ports_;
  std::unique_ptr<Retry> retry_;
  int looks_ = 0;  // at a database that was refused
};

}  // namespace assent::participant
