// What the Client and its Transactions share: connections, knowledge of the cluster, and the rules
// by which a request is repeated. Every method may be called from any thread and blocks.
#pragma once

#include <atomic>
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
#include "runtime/rpc/replicas.h"
#include "wire/transaction_types.h"

namespace assent {

class ClientCore {
 public:
  explicit ClientCore(ClientOptions options);
  ~ClientCore();

  // Asks for a first hello until connect_timeout_ms is over, then keeps asking in the background.
  Result<void> connect();
  // Asks for one hello, until connect_timeout_ms is over.
  Result<void> reach();
  // Asks for one more hello, once; callers at the same time share it.
  Result<void> refresh();

  [[nodiscard]] TransactionId new_transaction_id() const;
  [[nodiscard]] std::vector<std::string> participants() const { return directory_.names(); }
  [[nodiscard]] const ClientOptions& options() const { return options_; }

  // Runs one statement. Repeating it is safe: the request names it by nonce or number (R13).
  // kOutcomeUnknown means that it may have run; every other error that it did not, or failed.
  // Nothing is sent any more once `cancelled` is true: kBranchEnded.
  Result<wire::ExecuteReply> execute(const wire::ExecuteRequest& request,
                                     const std::atomic<bool>& cancelled);

  // Sends each request once, and waits for the answers for two seconds at most.
  void cancel(const std::vector<wire::CancelRequest>& requests);

  // These ask the leader, or one replica after the other until the leader is found again, until the
  // answer is more than "ask again", or unknown_after_ms is over.
  //
  // commit() keeps `first` of its request: it stays true for as long as no try can have been acted
  // upon, in this call and in all before it.
  Result<wire::CommitReply> commit(wire::CommitRequest& request);
  Result<wire::AbortReply> abort(const wire::AbortRequest& request);
  Result<wire::StatusReply> status(const wire::StatusRequest& request);

  // These do not wait. The core's end does, for a moment: otherwise the last transaction of a
  // program would hold its locks until the agents' idle deadline.
  void abort_in_background(wire::AbortRequest request);
  void cancel_in_background(const std::vector<wire::CancelRequest>& requests);

 private:
  using Refreshed = std::function<void(Result<void>)>;

  // `try_once` asks the coordinator at an address, for a given time at most.
  template <class Reply>
  Result<Reply> ask_coordinators(
      const std::function<Result<Reply>(const std::string& address, Millis within)>& try_once);
  bool move_on(const std::string& address, const Error& error);
  // Whether another replica leads by now instead of the one at `address`.
  bool is_superseded(const std::string& address);
  void promise(wire::CommitRequest& request) const;
  Result<wire::CommitReply> commit_once(const std::string& address, wire::CommitRequest& request,
                                        Millis within);
  Result<wire::ExecuteReply> execute_once(const wire::ExecuteRequest& request, MonoTime deadline,
                                          const std::atomic<bool>& cancelled);
  void await_background();
  Result<std::string> find_agent(const std::string& participant);
  void refresh_in_background();
  // Asks for the time anew when `error` says that an id's was wrong, for the sake of later ids.
  void correct_clock(const Error& error);

  // On the loop's thread. `done` may be empty.
  void join_refresh(Refreshed done);
  [[nodiscard]] wire::HelloRequest hello_request() const;
  void send_hello(bool hinted);
  void take_hello(const std::string& address, Result<wire::HelloReply> reply, bool hinted);
  void send_abort(const wire::AbortRequest& request, MonoTime deadline);
  // `done` is called once.
  void send_cancel(const wire::CancelRequest& request, std::function<void()> done);
  void background_done();

  const ClientOptions options_;
  const std::uint64_t creator_;
  rpc::Replicas coordinators_;
  client::Directory directory_;
  std::vector<Refreshed> refreshing_;  // who waits for the hello in flight; loop's thread only
  std::size_t background_ = 0;         // requests in flight for which nobody waits; likewise
  std::shared_ptr<std::promise<void>> farewell_;  // who waits for the last of them; likewise
  client::LoopThread loop_;                       // last: its thread uses all of the above
};

}  // namespace assent
