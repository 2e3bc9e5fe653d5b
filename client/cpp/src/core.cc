#include "client/cpp/src/core.h"

#include <chrono>
#include <thread>
#include <utility>

#include "runtime/process.h"
#include "runtime/rpc/call.h"
#include "wire/Branches.h"
#include "wire/Coordinator.h"
#include "wire/common_constants.h"

namespace assent {
namespace {

using client::Asked;
using client::Backoff;

constexpr Millis kRefreshEvery{20'000};  // agents move and clocks drift, neither quickly
constexpr Millis kHelloMax{2'000};
constexpr Millis kAbortInBackgroundMax{5'000};
constexpr std::chrono::milliseconds kFarewellMax{500};  // for those still in flight at the end
// Time for an answer to come in after the peer's own deadline has made it.
constexpr Millis kGrace{2'000};

Millis until(MonoTime deadline) {
  return std::max(Millis(1), deadline - process::monotonic_now());
}

// False, at once, when the deadline would pass first.
bool pause(Backoff& backoff, MonoTime deadline) {
  const Millis length = backoff.next(process::random_u64());
  if (until(deadline) <= length) return false;
  std::this_thread::sleep_for(std::chrono::milliseconds(length.value));
  return true;
}

// Whether a coordinator that answered so may have acted upon the request. kUnavailable is also what
// a coordinator says that lost what it needs half-way.
bool may_have_acted(ErrorCode code) {
  return code != ErrorCode::kNotLeader && code != ErrorCode::kOverloaded;
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
  await_background_aborts();
}

// ── hello ───────────────────────────────────────────────────────────────────────────────────────

Result<void> ClientCore::connect() {
  const MonoTime deadline = process::monotonic_now() + Millis(options_.connect_timeout_ms);
  Backoff backoff;
  for (;;) {
    auto answer = refresh();
    if (answer) break;
    if (!retryable(answer.error())) return answer;
    if (!pause(backoff, deadline)) {
      return failure(ErrorCode::kUnavailable, "no coordinator answered at " +
                                                  joined(options_.coordinators) + ": " +
                                                  answer.error().message);
    }
  }
  loop_.repeat(kRefreshEvery, [this] { join_refresh(nullptr); });
  return {};
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
  if (refreshing_.size() == 1) send_hello();
}

void ClientCore::send_hello() {
  wire::HelloRequest request;
  request.protocol_version = wire::g_common_constants.PROTOCOL_VERSION;
  // Once known, the cluster is the same for good, whatever another address belongs to.
  const std::string known = directory_.cluster();
  const std::string& cluster = known.empty() ? options_.cluster : known;
  if (!cluster.empty()) request.__set_cluster(cluster);

  const std::string address = coordinators_.current();
  ASSENT_CALL(wire::Coordinator, hello, wire::HelloReply)
  (loop_.connection(address), request, std::min(kHelloMax, Millis(options_.connect_timeout_ms)),
   [this, address](Result<wire::HelloReply> reply) { take_hello(address, std::move(reply)); });
}

void ClientCore::take_hello(const std::string& address, Result<wire::HelloReply> reply) {
  Result<void> result;
  if (reply) {
    directory_.learn(*reply, process::monotonic_now());
  } else {
    coordinators_.failed(address, reply.error().leader);
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

Result<wire::ExecuteReply> ClientCore::execute(const wire::ExecuteRequest& request) {
  const MonoTime deadline =
      process::monotonic_now() + Millis(options_.statement_timeout_ms) + kGrace;
  Backoff backoff;
  std::optional<Error> unknown;  // the first try that may have run the statement
  for (;;) {
    auto reply = execute_once(request, deadline);
    if (reply || !retryable(reply.error().code)) return reply;
    if (reply.error().code == ErrorCode::kOutcomeUnknown && !unknown) unknown = reply.error();
    // Whatever became of the agent: it may serve elsewhere by now.
    if (reply.error().code != ErrorCode::kOverloaded) refresh_in_background();
    if (!pause(backoff, deadline)) return unknown ? tl::unexpected(std::move(*unknown)) : reply;
  }
}

Result<wire::ExecuteReply> ClientCore::execute_once(const wire::ExecuteRequest& request,
                                                    MonoTime deadline) {
  const auto address = find_agent(request.participant);
  if (!address) return tl::unexpected(address.error());
  auto reply = loop_.ask<wire::ExecuteReply>(
      ASSENT_CALL(wire::Branches, execute, wire::ExecuteReply), *address, request, until(deadline));
  if (!reply) correct_clock(reply.error());
  return reply;
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

template <class Reply, class Call, class Request>
Asked<Reply> ClientCore::ask_coordinators(Call call, const Request& request, Millis each) {
  const MonoTime deadline = process::monotonic_now() + Millis(options_.unknown_after_ms);
  Backoff backoff;
  bool maybe_done = false;
  for (;;) {
    const std::string address = coordinators_.current();
    auto answer = loop_.ask<Reply>(call, address, request, std::min(each, until(deadline)));
    if (answer || !retryable(answer.error().code)) return {std::move(answer), maybe_done};

    const Error& error = answer.error();
    if (may_have_acted(error.code)) maybe_done = true;
    if (error.code != ErrorCode::kOverloaded) coordinators_.failed(address, error.leader);
    if (!pause(backoff, deadline)) return {std::move(answer), maybe_done};
  }
}

Asked<wire::CommitReply> ClientCore::commit(const wire::CommitRequest& request) {
  auto asked =
      ask_coordinators<wire::CommitReply>(ASSENT_CALL(wire::Coordinator, commit, wire::CommitReply),
                                          request, Millis(request.timeout_ms) + kGrace);
  if (!asked.answer) correct_clock(asked.answer.error());
  return asked;
}

Asked<wire::AbortReply> ClientCore::abort(const wire::AbortRequest& request) {
  return ask_coordinators<wire::AbortReply>(ASSENT_CALL(wire::Coordinator, abort, wire::AbortReply),
                                            request, Millis(options_.unknown_after_ms));
}

Asked<wire::StatusReply> ClientCore::status(const wire::StatusRequest& request) {
  return ask_coordinators<wire::StatusReply>(
      ASSENT_CALL(wire::Coordinator, status, wire::StatusReply), request,
      Millis(options_.unknown_after_ms));
}

void ClientCore::abort_in_background(wire::AbortRequest request) {
  loop_.post([this, request = std::move(request)] {
    ++background_aborts_;
    ASSENT_CALL(wire::Coordinator, abort, wire::AbortReply)
    (loop_.connection(coordinators_.current()), request, kAbortInBackgroundMax,
     [this](const Result<wire::AbortReply>&) {
       if (--background_aborts_ == 0 && farewell_) farewell_->set_value();
     });
  });
}

void ClientCore::await_background_aborts() {
  const auto promise = std::make_shared<std::promise<void>>();
  auto answered = promise->get_future();
  loop_.post([this, promise] {
    if (background_aborts_ == 0) return promise->set_value();
    farewell_ = promise;
  });
  answered.wait_for(kFarewellMax);
}

}  // namespace assent
