// A load on the replicated log alone: aborts of transactions that nobody began. Each is one command
// that is proposed, chosen, executed and answered; no agent and no database takes part.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/time.h"
#include "integration/workload/histogram.h"
#include "integration/workload/recorder.h"
#include "runtime/rpc/client.h"
#include "wire/transaction_types.h"

namespace assent::workload {

struct DecisionOptions {
  std::vector<std::string> coordinators;  // "host:port" of client ports; the leader is found
  std::size_t clients = 1;                // each has a connection, and one decision at a time
  double seconds = 10;
  std::uint64_t count = 0;  // ends with so many decided, if the time is not over; 0: no such bound
};

struct DecisionTally {
  std::uint64_t decided = 0;
  Histogram latency_us;
  std::map<std::string, std::uint64_t> errors;  // by code; each was followed by another try
  Clock::duration elapsed{};
  Clock::duration longest_gap{};
};

// Everything runs on the calling thread.
class Decisions {
 public:
  explicit Decisions(DecisionOptions options);
  ~Decisions();

  // Finds the leader, then decides until the time is over. An error: nobody leads.
  Result<DecisionTally> run();

 private:
  struct Caller;

  Result<std::string> find_leader();
  void begin(Caller& caller);
  void decide(Caller& caller);
  void on_answer(Caller& caller, const Result<wire::AbortReply>& answer, Clock::time_point sent);
  [[nodiscard]] wire::AbortRequest request();

  const DecisionOptions options_;
  boost::asio::io_context loop_;
  std::vector<std::unique_ptr<Caller>> callers_;
  std::size_t at_work_ = 0;
  std::uint64_t begun_ = 0;  // decisions, each until it was decided
  Clock::time_point ends_at_;
  Clock::time_point last_decided_;
  LogTime told_;  // the coordinator's time, at told_at_
  MonoTime told_at_;
  std::mt19937_64 random_;  // for ids: asking the system for each was 6 % of the work here
  DecisionTally tally_;
};

}  // namespace assent::workload
