// What the Client and its Transactions share: connections, knowledge of the cluster, and the rules
// by which a request is repeated. Every method may be called from any thread and blocks.
#pragma once

#include <cstddef>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "assent/client.h"
#include "base/ids.h"
#include "client/cpp/src/backoff.h"
#include "client/cpp/src/directory.h"
#include "client/cpp/src/loop_thread.h"
#include "wire/transaction_types.h"

namespace assent {

namespace client {

// The answer to a request that was repeated.
template <class Reply>
struct Asked {
  Result<Reply> answer;
  // True when an earlier try may have been received and acted upon, so that a refusal of the last
  // one does not prove that nothing was done.
  bool maybe_done = false;
};

}  // namespace client

class ClientCore {
 public:
  explicit ClientCore(ClientOptions options);
  ~ClientCore();

  // Asks for a first hello until connect_timeout_ms is over, then keeps asking in the background.
  Result<void> connect();
  // Asks for one more hello; callers at the same time share it.
  Result<void> refresh();

  [[nodiscard]] TransactionId new_transaction_id() const;
  [[nodiscard]] std::vector<std::string> participants() const { return directory_.names(); }
  [[nodiscard]] const ClientOptions& options() const { return options_; }

  // Runs one statement. Repeating it is safe: the request names it by nonce or number (R13).
  // kOutcomeUnknown means that it may have run; every other error that it did not, or failed.
  Result<wire::ExecuteReply> execute(const wire::ExecuteRequest& request);

  // These ask every coordinator in turn until one answers with more than "ask again", or
  // unknown_after_ms is over.
  client::Asked<wire::CommitReply> commit(const wire::CommitRequest& request);
  client::Asked<wire::AbortReply> abort(const wire::AbortRequest& request);
  client::Asked<wire::StatusReply> status(const wire::StatusRequest& request);

  // Sends the request once and does not wait. The core's end does, for a moment: otherwise the last
  // transaction of a program would hold its locks until the agents' idle deadline.
  void abort_in_background(wire::AbortRequest request);

 private:
  using Refreshed = std::function<void(Result<void>)>;

  template <class Reply, class Call, class Request>
  client::Asked<Reply> ask_coordinators(Call call, const Request& request, Millis each);
  Result<wire::ExecuteReply> execute_once(const wire::ExecuteRequest& request, MonoTime deadline);
  void await_background_aborts();
  Result<std::string> find_agent(const std::string& participant);
  void refresh_in_background();
  // Asks for the time anew when `error` says that an id's was wrong, for the sake of later ids.
  void correct_clock(const Error& error);

  // On the loop's thread. `done` may be empty.
  void join_refresh(Refreshed done);
  void send_hello();
  void take_hello(const std::string& address, Result<wire::HelloReply> reply);

  const ClientOptions options_;
  const std::uint64_t creator_;
  client::Coordinators coordinators_;
  client::Directory directory_;
  std::vector<Refreshed> refreshing_;  // who waits for the hello in flight; loop's thread only
  std::size_t background_aborts_ = 0;  // in flight; loop's thread only
  std::shared_ptr<std::promise<void>> farewell_;  // who waits for the last of them; likewise
  client::LoopThread loop_;                       // last: its thread uses all of the above
};

}  // namespace assent
