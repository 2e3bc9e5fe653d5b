// The client port of an agent: statements of branches.
#include <memory>
#include <utility>

#include "participant/server/handlers.h"
#include "runtime/failpoint.h"
#include "runtime/rpc/handler.h"
#include "runtime/rpc/ids.h"
#include "runtime/rpc/statements.h"
#include "wire/Branches.h"

namespace assent::participant {
namespace {

using rpc::answer;
using rpc::Cob;
using rpc::ExnCob;

constexpr std::size_t kNonceMax = 64;
constexpr std::int32_t kIdleTimeoutDefault = 60'000;
constexpr std::int32_t kIdleTimeoutMax = 3'600'000;
constexpr std::int32_t kLifetimeDefault = 3'600'000;
constexpr std::int32_t kLifetimeMax = 86'400'000;

Result<branch::Opening> opening_from_wire(const wire::OpenBranch& start) {
  if (start.nonce.empty() || start.nonce.size() > kNonceMax) {
    return failure(ErrorCode::kInvalidArgument, "start.nonce must have 1 to 64 bytes");
  }
  const std::int32_t idle =
      start.__isset.idle_timeout_ms ? start.idle_timeout_ms : kIdleTimeoutDefault;
  if (idle < 1 || idle > kIdleTimeoutMax) {
    return failure(ErrorCode::kInvalidArgument, "start.idle_timeout_ms must be 1 to 3600000");
  }
  const std::int32_t lifetime = start.__isset.lifetime_ms ? start.lifetime_ms : kLifetimeDefault;
  if (lifetime < 1 || lifetime > kLifetimeMax) {
    return failure(ErrorCode::kInvalidArgument, "start.lifetime_ms must be 1 to 86400000");
  }
  const auto mode = rpc::from_wire(start.mode);
  if (!mode) return tl::unexpected(mode.error());
  return branch::Opening{start.nonce, Millis(idle), Millis(lifetime), *mode};
}

Result<branch::BranchRef> ref_from_wire(const wire::BranchRef& named) {
  const auto epoch = rpc::positive_from_wire(named.epoch, "branch.epoch");
  if (!epoch) return tl::unexpected(epoch.error());
  const auto attempt = rpc::positive_from_wire(named.attempt, "branch.attempt");
  if (!attempt) return tl::unexpected(attempt.error());
  return branch::BranchRef{Epoch(*epoch), Attempt(*attempt)};
}

Result<std::variant<branch::Opening, branch::BranchRef>> branch_from_wire(
    const wire::ExecuteRequest& request) {
  if (request.__isset.start == request.__isset.branch) {
    return failure(ErrorCode::kInvalidArgument,
                   "exactly one of start and branch must be present: start opens the branch, every "
                   "later statement names it");
  }
  if (request.__isset.start) {
    return opening_from_wire(request.start).map([](branch::Opening opening) {
      return std::variant<branch::Opening, branch::BranchRef>(std::move(opening));
    });
  }
  return ref_from_wire(request.branch).map([](branch::BranchRef ref) {
    return std::variant<branch::Opening, branch::BranchRef>(ref);
  });
}

Result<branch::ExecuteAsked> execute_from_wire(const wire::ExecuteRequest& request) {
  const auto transaction = rpc::transaction_from_wire(request.transaction);
  if (!transaction) return tl::unexpected(transaction.error());
  auto named = branch_from_wire(request);
  if (!named) return tl::unexpected(named.error());
  const auto number = rpc::positive_from_wire(request.statement_number, "statement_number");
  if (!number) return tl::unexpected(number.error());
  auto statement = rpc::from_wire(request.statement);
  if (!statement) return tl::unexpected(statement.error());
  return branch::ExecuteAsked{{},
                              *transaction,
                              std::move(*named),
                              static_cast<std::uint32_t>(*number),
                              std::move(*statement)};
}

Result<branch::CancelAsked> cancel_from_wire(const wire::CancelRequest& request) {
  const auto transaction = rpc::transaction_from_wire(request.transaction);
  if (!transaction) return tl::unexpected(transaction.error());
  if (request.__isset.nonce == request.__isset.branch) {
    return failure(ErrorCode::kInvalidArgument, "exactly one of nonce and branch must be present");
  }
  if (request.__isset.nonce) return branch::CancelAsked{{}, *transaction, request.nonce};
  return ref_from_wire(request.branch).map([&](branch::BranchRef ref) {
    return branch::CancelAsked{{}, *transaction, ref};
  });
}

wire::ExecuteReply execute_to_wire(const branch::ExecuteAnswer& done) {
  auto out = rpc::versioned<wire::ExecuteReply>();
  out.branch.epoch = static_cast<std::int64_t>(done.branch.epoch.value);
  out.branch.attempt = static_cast<std::int64_t>(done.branch.attempt.value);
  out.result = rpc::to_wire(*done.result);
  return out;
}

class ClientHandler final : public wire::BranchesCobSvIf {
 public:
  explicit ClientHandler(Services& services) : services_(services) {}

  void execute(Cob<wire::ExecuteReply> cob, ExnCob exn,
               const wire::ExecuteRequest& request) override {
    failpoint("agent.execute.asked");
    auto asked = check(request).and_then([&] { return check_opening(request); }).and_then([&] {
      return execute_from_wire(request);
    });
    if (!asked) return answer<wire::ExecuteReply>(cob, exn, tl::unexpected(named(asked.error())));
    services_.branches->execute(
        std::move(*asked), [this, cob, exn](Result<branch::ExecuteAnswer> done) {
          failpoint("agent.execute.answering");
          answer(cob, exn, std::move(done).map(execute_to_wire).map_error([this](Error error) {
            return named(std::move(error));
          }));
        });
  }

  void cancel(Cob<wire::CancelReply> cob, ExnCob exn, const wire::CancelRequest& request) override {
    auto asked = check(request).and_then([&] { return cancel_from_wire(request); });
    if (!asked) return answer<wire::CancelReply>(cob, exn, tl::unexpected(named(asked.error())));
    services_.branches->cancel(std::move(*asked), [this, cob, exn](Result<branch::Cancelled> done) {
      answer(cob, exn,
             std::move(done)
                 .map([](branch::Cancelled) { return rpc::versioned<wire::CancelReply>(); })
                 .map_error([this](Error error) { return named(std::move(error)); }));
    });
  }

 private:
  // Every error of an agent names its participant.
  Error named(Error error) const {
    if (error.participant.empty()) error.participant = services_.config.participant;
    return error;
  }

  template <class Request>
  Result<void> check(const Request& request) const {
    if (auto version = rpc::check_version(request.protocol_version); !version) return version;
    if (request.participant != services_.config.participant) {
      return failure(ErrorCode::kUnknownParticipant,
                     "this agent serves participant " + services_.config.participant);
    }
    if (services_.branches) return {};
    return not_open();
  }

  // Only a new branch waits for the fence; one that is open implies that it is complete.
  Result<void> check_opening(const wire::ExecuteRequest& request) const {
    if (services_.open || !request.__isset.start) return {};
    return not_open();
  }

  static Result<void> not_open() {
    return failure(ErrorCode::kUnavailable,
                   "the agent takes no new branches now: it is starting (waiting for its database, "
                   "the coordinator, or the end of an earlier life's backends) or stopping");
  }

  Services& services_;
};

}  // namespace

std::shared_ptr<apache::thrift::async::TAsyncProcessor> client_processor(Services& services) {
  return std::make_shared<wire::BranchesAsyncProcessor>(std::make_shared<ClientHandler>(services));
}

}  // namespace assent::participant
