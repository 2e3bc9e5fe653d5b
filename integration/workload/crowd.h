// A crowd: many connections to the coordinator, and many one-shot transactions over them, all at
// once or at a steady rate, whether earlier ones were answered or not.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "base/time.h"
#include "integration/workload/histogram.h"
#include "integration/workload/mover.h"
#include "integration/workload/recorder.h"
#include "runtime/rpc/client.h"
#include "wire/transaction_types.h"

namespace assent::workload {

struct CrowdOptions {
  std::vector<std::string> coordinators;  // "host:port" of client ports; connections take turns
  std::vector<std::string> participants;  // each transaction has a branch on all of them
  std::string sql = "UPDATE accounts SET balance = balance WHERE id = 1";  // of each branch
  std::int64_t accounts =
      0;  // not 0: instead of `sql`, transfers between accounts with ids to this
  std::size_t connections = 1'000;
  std::size_t transactions = 1'000;
  double rate = 0;                   // sent per second; 0: all at once
  std::int32_t timeout_ms = 60'000;  // for the votes of a transaction
};

// How the transactions of a crowd were answered.
struct CrowdTally {
  std::uint64_t committed = 0;
  std::uint64_t one_phase = 0;  // of the committed
  std::uint64_t aborted = 0;
  std::uint64_t refused = 0;                     // the request as a whole, by the coordinator
  std::uint64_t unanswered = 0;                  // no answer in time, or the connection was lost
  std::map<std::string, std::uint64_t> reasons;  // of all but the committed, as key_of() has them
  Histogram latency_us;                          // of all that were answered, from being sent
  Histogram commit_us;                           // of those that committed
  Histogram refusal_us;                          // of those that were refused
  std::uint64_t committed_in_time = 0;           // until the last transaction was sent
  Clock::duration sending{};                     // from the first transaction to the last

  [[nodiscard]] std::uint64_t answered() const { return committed + aborted + refused; }
};

// Everything runs on the calling thread.
class Crowd {
 public:
  explicit Crowd(CrowdOptions options);
  ~Crowd();

  // Opens the connections and says hello on each. The first failure of any.
  Result<void> connect();
  // Sends every transaction, and returns when each is answered or has surely lost its answer.
  // Precondition: connect() succeeded.
  CrowdTally commit();

 private:
  void hello(std::size_t number);
  void on_hello(Result<wire::HelloReply> reply);
  [[nodiscard]] wire::CommitRequest request();
  void send_due();
  void send(std::size_t number);
  void on_answer(const Result<wire::CommitReply>& answer, Clock::time_point sent);
  void count_decided(const wire::CommitReply& reply, std::uint64_t latency_us);
  void count_failed(const Error& error, std::uint64_t latency_us);

  const CrowdOptions options_;
  boost::asio::io_context loop_;
  boost::asio::steady_timer next_;  // transactions are due
  std::mt19937_64 random_;
  std::vector<std::unique_ptr<rpc::Client>> connections_;
  std::size_t greeted_ = 0;      // connections on which hello was answered
  std::optional<Error> failed_;  // the first failure of hello
  std::int64_t office_ = 0;      // the leader's, as hello told it last
  LogTime told_;                 // the coordinator's time, at told_at_
  MonoTime told_at_;
  CrowdTally tally_;
  Clock::time_point began_;  // to send
  std::size_t sent_ = 0;
};

}  // namespace assent::workload
