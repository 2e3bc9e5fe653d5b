#include "client/cpp/src/core.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "client/cpp/src/heard.h"
#include "client/cpp/src/pause.h"
#include "client/cpp/src/refusal.h"
#include "runtime/process.h"
#include "runtime/rpc/call.h"
#include "wire/Branches.h"
#include "wire/Coordinator.h"
#include "wire/common_constants.h"

namespace assent {
namespace {

using client::Backoff;
using client::Heard;
using client::HeardResult;
using client::kElectionPauseMax;
using client::may_have_acted;
using client::pause;
using client::until;

constexpr Millis kRefreshEvery{20'000};  // agents move and clocks drift, neither quickly
constexpr Millis kHelloMax{1'000};
constexpr Millis kWhoLeadsMax{500};  // of the other replicas, while one does not answer
constexpr Millis kAbortInBackgroundMax{5'000};
constexpr Millis kCancelMax{2'000};
constexpr std::chrono::milliseconds kFarewellMax{500};  // for those still in flight at the end
// Time for an answer to come in after the peer's own deadline has made it.
constexpr Millis kGrace{2'000};

// As rpc::Client::call says: with these codes the request never left.
bool certainly_unsent(const Error& error) {
  return error.code == ErrorCode::kUnavailable || error.code == ErrorCode::kInvalidArgument;
}

bool may_have_acted(const Result<Heard<wire::CommitReply>>& heard) {
  if (!heard) return !certainly_unsent(heard.error());
  return heard->refusal && may_have_acted(rpc::from_wire(*heard->refusal).code);
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

}  // namespace

ClientCore::ClientCore(ClientOptions options)
    : options_(std::move(options)),
      creator_(creator_tag(options_.name)),
      coordinators_(options_.coordinators) {}

ClientCore::~ClientCore() {
  await_background();
}

// ── hello ───────────────────────────────────────────────────────────────────────────────────────

Result<void> ClientCore::connect() {
  auto answer = reach();
  if (answer) loop_.repeat(kRefreshEvery, [this] { join_refresh(nullptr); });
  return answer;
}

Result<void> ClientCore::reach() {
  const MonoTime deadline = process::monotonic_now() + Millis(options_.connect_timeout_ms);
  Backoff backoff(kElectionPauseMax);
  for (;;) {
    auto answer = refresh();
    if (answer || !retryable(answer.error())) return answer;
    if (!pause(backoff, deadline)) {
      return failure(ErrorCode::kUnavailable, "no coordinator answered at " +
                                                  joined(options_.coordinators) + ": " +
                                                  answer.error().message);
    }
  }
}

Result<void> ClientCore::refresh() {
  const auto promise = std::make_shared<std::promise<Result<void>>>();
  auto answer = promise->get_future();
  loop_.post([this, promise] {
    join_refresh([promise](Result<void> result) { promise->set_value(std::move(result)); });
  });
  return answer.get();
}

void ClientCore::refresh_in_background() {
  loop_.post([this] { join_refresh(nullptr); });
}

void ClientCore::join_refresh(Refreshed done) {
  refreshing_.push_back(std::move(done));
  if (refreshing_.size() == 1) send_hello(/*hinted=*/false);
}

wire::HelloRequest ClientCore::hello_request() const {
  wire::HelloRequest request;
  request.protocol_version = wire::g_common_constants.PROTOCOL_VERSION;
  // Once known, the cluster is the same for good, whatever another address belongs to.
  const std::string known = directory_.cluster();
  const std::string& cluster = known.empty() ? options_.cluster : known;
  if (!cluster.empty()) request.__set_cluster(cluster);
  return request;
}

void ClientCore::send_hello(bool hinted) {
  const std::string address = coordinators_.current();
  ASSENT_CALL(wire::Coordinator, hello, wire::HelloReply)
  (loop_.connection(address), hello_request(),
   std::min(kHelloMax, Millis(options_.connect_timeout_ms)),
   [this, address, hinted](Result<wire::HelloReply> reply) {
     take_hello(address, std::move(reply), hinted);
   });
}

// One hint is followed at once; who is sent on again has met an election, and pauses.
void ClientCore::take_hello(const std::string& address, Result<wire::HelloReply> reply,
                            bool hinted) {
  Result<void> result;
  if (reply) {
    directory_.learn(*reply, process::monotonic_now());
  } else {
    const bool known = coordinators_.failed(address, reply.error().leader);
    if (known && !hinted && retryable(reply.error())) return send_hello(/*hinted=*/true);
    result = tl::unexpected(std::move(reply.error()));
  }
  for (const auto& done : std::exchange(refreshing_, {})) {
    if (done) done(result);
  }
}

TransactionId ClientCore::new_transaction_id() const {
  return make_transaction_id(directory_.time(process::monotonic_now()), process::random_u64(),
                             process::random_u64(), creator_);
}

void ClientCore::correct_clock(const Error& error) {
  if (error.code == ErrorCode::kClock || error.code == ErrorCode::kExpired) (void)refresh();
}

// ── statements ──────────────────────────────────────────────────────────────────────────────────

Result<wire::ExecuteReply> ClientCore::execute(const wire::ExecuteRequest& request,
                                               const std::atomic<bool>& cancelled) {
  const MonoTime deadline =
      process::monotonic_now() + Millis(options_.statement_timeout_ms) + kGrace;
  Backoff backoff;
  std::optional<Error> unknown;  // the first try that may have run the statement
  for (;;) {
    auto reply = execute_once(request, deadline, cancelled);
    if (reply || !retryable(reply.error().code)) return reply;
    if (reply.error().code == ErrorCode::kOutcomeUnknown && !unknown) unknown = reply.error();
    // Whatever became of the agent: it may serve elsewhere by now.
    if (reply.error().code != ErrorCode::kOverloaded) refresh_in_background();
    if (!pause(backoff, deadline)) return unknown ? tl::unexpected(std::move(*unknown)) : reply;
  }
}

// The loop's thread looks at `cancelled` when it sends: a statement that it sends goes out before
// the message of whoever cancels, who sets the flag first.
Result<wire::ExecuteReply> ClientCore::execute_once(const wire::ExecuteRequest& request,
                                                    MonoTime deadline,
                                                    const std::atomic<bool>& cancelled) {
  const auto address = find_agent(request.participant);
  if (!address) return tl::unexpected(address.error());
  const auto send = [&cancelled](rpc::Client& to, const wire::ExecuteRequest& what, Millis left,
                                 std::function<void(Result<wire::ExecuteReply>)> done) {
    if (cancelled) return done(failure(ErrorCode::kBranchEnded, "it was cancelled before it ran"));
    ASSENT_CALL(wire::Branches, execute, wire::ExecuteReply)(to, what, left, std::move(done));
  };
  auto reply = loop_.ask<wire::ExecuteReply>(send, *address, request, until(deadline));
  if (!reply) correct_clock(reply.error());
  return reply;
}

void ClientCore::cancel(const std::vector<wire::CancelRequest>& requests) {
  std::vector<std::future<void>> answers;
  for (const auto& request : requests) {
    const auto promise = std::make_shared<std::promise<void>>();
    answers.push_back(promise->get_future());
    loop_.post(
        [this, request, promise] { send_cancel(request, [promise] { promise->set_value(); }); });
  }
  for (const auto& answer : answers) answer.wait();
}

void ClientCore::send_cancel(const wire::CancelRequest& request, std::function<void()> done) {
  const auto address = directory_.address_of(request.participant);
  if (!address) return done();
  ASSENT_CALL(wire::Branches, cancel, wire::CancelReply)
  (loop_.connection(*address), request, kCancelMax,
   [done = std::move(done)](const Result<wire::CancelReply>&) { done(); });
}

Result<std::string> ClientCore::find_agent(const std::string& participant) {
  if (const auto known = directory_.address_of(participant)) return *known;
  if (const auto asked = refresh(); !asked) {
    return failure(ErrorCode::kUnavailable,
                   "no coordinator could say where it is served: " + asked.error().message);
  }
  if (const auto known = directory_.address_of(participant)) return *known;
  return failure(ErrorCode::kUnknownParticipant,
                 "no participant \"" + participant +
                     "\" is registered; there are: " + joined(directory_.names()));
}

// ── outcomes ────────────────────────────────────────────────────────────────────────────────────

template <class Reply>
Result<Reply> ClientCore::ask_coordinators(
    const std::function<Result<Reply>(const std::string& address, Millis within)>& try_once) {
  const MonoTime deadline = process::monotonic_now() + Millis(options_.unknown_after_ms);
  Backoff backoff(kElectionPauseMax);
  bool moved = false;
  bool hinted = false;  // the last try went to a replica that was named as the leader
  for (;;) {
    const std::string address = coordinators_.current();
    auto answer = try_once(address, until(deadline));
    if (answer || !retryable(answer.error().code)) {
      // Agents, time and office, as the new leader knows them.
      if (moved) refresh_in_background();
      return answer;
    }
    hinted = move_on(address, answer.error()) && !hinted;
    moved = moved || coordinators_.current() != address;
    if (!hinted && !pause(backoff, deadline)) return answer;
  }
}

// True when the next try is more than a guess, and needs no pause.
bool ClientCore::move_on(const std::string& address, const Error& error) {
  if (error.code == ErrorCode::kOverloaded) return false;
  const bool leads = error.office != 0;
  return leads || coordinators_.failed(address, error.leader);
}

// Asks one of the other replicas. A follower that hears its leader names it, so this ends no wait
// for a leader that is only slow.
bool ClientCore::is_superseded(const std::string& address) {
  const std::string other = coordinators_.next_other();
  if (other == address) return false;
  auto hello = loop_.ask<wire::HelloReply>(ASSENT_CALL(wire::Coordinator, hello, wire::HelloReply),
                                           other, hello_request(), kWhoLeadsMax);
  if (hello) {
    coordinators_.leads(other);
  } else if (!hello.error().leader.empty() && hello.error().leader != address) {
    coordinators_.failed(address, hello.error().leader);
  }
  return coordinators_.current() != address;
}

Result<wire::CommitReply> ClientCore::commit(wire::CommitRequest& request) {
  const Millis each = Millis(request.timeout_ms) + kGrace;
  auto answer = ask_coordinators<wire::CommitReply>([&](const std::string& address, Millis left) {
    return commit_once(address, request, std::min(each, left));
  });
  if (!answer) correct_clock(answer.error());
  return answer;
}

Result<wire::CommitReply> ClientCore::commit_once(const std::string& address,
                                                  wire::CommitRequest& request, Millis within) {
  const auto send = [](rpc::Client& to, const wire::CommitRequest& what, Millis limit, auto done) {
    rpc::call<wire::Coordinator_commit_pargs,
              HeardResult<wire::Coordinator_commit_presult, wire::CommitReply>,
              Heard<wire::CommitReply>>(to, "commit", what, limit, std::move(done));
  };
  promise(request);
  auto heard = loop_.ask<Heard<wire::CommitReply>>(send, address, request, within,
                                                   [&] { return is_superseded(address); });
  if (may_have_acted(heard)) request.__set_first(false);
  auto answer = client::answer_of(std::move(heard));
  if (!answer && answer.error().office != 0) {
    directory_.learn_office(static_cast<std::int64_t>(answer.error().office));
  }
  return answer;
}

// `first` is a promise to one office (R9). Where nothing can have been acted upon it is made anew
// for each try.
void ClientCore::promise(wire::CommitRequest& request) const {
  request.__set_office(directory_.office());
  request.__isset.office = request.first;
}

Result<wire::AbortReply> ClientCore::abort(const wire::AbortRequest& request) {
  return ask_coordinators<wire::AbortReply>([&](const std::string& address, Millis left) {
    return loop_.ask<wire::AbortReply>(ASSENT_CALL(wire::Coordinator, abort, wire::AbortReply),
                                       address, request, left,
                                       [&] { return is_superseded(address); });
  });
}

Result<wire::StatusReply> ClientCore::status(const wire::StatusRequest& request) {
  return ask_coordinators<wire::StatusReply>([&](const std::string& address, Millis left) {
    return loop_.ask<wire::StatusReply>(ASSENT_CALL(wire::Coordinator, status, wire::StatusReply),
                                        address, request, left,
                                        [&] { return is_superseded(address); });
  });
}

// ── in the background ───────────────────────────────────────────────────────────────────────────

void ClientCore::abort_in_background(wire::AbortRequest request) {
  loop_.post([this, request = std::move(request)] {
    ++background_;
    send_abort(request, process::monotonic_now() + kAbortInBackgroundMax);
  });
}

// Again and again, elsewhere, until a leader has it or the deadline is over.
void ClientCore::send_abort(const wire::AbortRequest& request, MonoTime deadline) {
  const std::string address = coordinators_.current();
  ASSENT_CALL(wire::Coordinator, abort, wire::AbortReply)
  (loop_.connection(address), request, until(deadline),
   [this, address, request, deadline](const Result<wire::AbortReply>& reply) {
     const bool over = process::monotonic_now() + kElectionPauseMax >= deadline;
     if (reply || !retryable(reply.error()) || over) return background_done();
     coordinators_.failed(address, reply.error().leader);
     loop_.after(kElectionPauseMax, [=, this] { send_abort(request, deadline); });
   });
}

void ClientCore::cancel_in_background(const std::vector<wire::CancelRequest>& requests) {
  for (const auto& request : requests) {
    loop_.post([this, request] {
      ++background_;
      send_cancel(request, [this] { background_done(); });
    });
  }
}

void ClientCore::background_done() {
  if (--background_ == 0 && farewell_) farewell_->set_value();
}

void ClientCore::await_background() {
  const auto promise = std::make_shared<std::promise<void>>();
  auto answered = promise->get_future();
  loop_.post([this, promise] {
    if (background_ == 0) return promise->set_value();
    farewell_ = promise;
  });
  answered.wait_for(kFarewellMax);
}

}  // namespace assent
