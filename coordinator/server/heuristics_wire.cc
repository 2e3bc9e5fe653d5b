#include "coordinator/server/heuristics_wire.h"

#include "runtime/rpc/handler.h"
#include "runtime/rpc/ids.h"

namespace assent::coordinator {
namespace {

constexpr std::size_t kTextMax = 200;

wire::HeuristicKind::type to_wire(state::HeuristicKind kind) {
  switch (kind) {
    case state::HeuristicKind::kCommit:
      return wire::HeuristicKind::COMMIT;
    case state::HeuristicKind::kRollback:
      return wire::HeuristicKind::ROLLBACK;
    case state::HeuristicKind::kMixed:
      return wire::HeuristicKind::MIXED;
    case state::HeuristicKind::kHazard:
      return wire::HeuristicKind::HAZARD;
    case state::HeuristicKind::kSettled:
      return wire::HeuristicKind::SETTLED;
  }
  return wire::HeuristicKind::HAZARD;
}

wire::HeuristicBranch to_wire(const TransactionId& transaction, const state::HeuristicBranch& one) {
  const state::DecidedBranch& branch = one.branch;
  wire::HeuristicBranch out;
  out.branch =
      rpc::to_wire(BranchId{transaction, branch.participant, branch.epoch, branch.attempt});
  out.result = rpc::to_wire(one.result);
  if (branch.evidence != Evidence{}) out.__set_evidence(rpc::to_wire(branch.evidence));
  return out;
}

wire::Resolution to_wire(const state::Resolution& resolution) {
  wire::Resolution out;
  out.outcome = rpc::to_wire(resolution.outcome);
  out.operator_name = resolution.operator_name;
  out.reason = resolution.reason;
  out.at_ms = resolution.at.value;
  return out;
}

Result<void> check_text(const char* what, const std::string& text) {
  if (!text.empty() && text.size() <= kTextMax) return {};
  return failure(ErrorCode::kInvalidArgument,
                 std::string(what) + " is 1 to " + std::to_string(kTextMax) + " bytes long");
}

// Who does it, and why, and what it is about: all of it stands in the log.
template <class Request>
Result<TransactionId> check_all_words(const Request& request) {
  return check_words(request.operator_name, request.reason).and_then([&] {
    return rpc::transaction_from_wire(request.transaction);
  });
}

Result<state::Command> untold_from_wire(const wire::ForgetHeuristicRequest& request) {
  if (!request.transaction.empty() || request.untold < 1) {
    return failure(ErrorCode::kInvalidArgument,
                   "untold counts from 1, and goes with no transaction");
  }
  return check_words(request.operator_name, request.reason).map([&] {
    return state::Command(state::UntoldForgotten{static_cast<std::uint64_t>(request.untold),
                                                 request.operator_name, request.reason});
  });
}

}  // namespace

Result<void> check_words(const std::string& operator_name, const std::string& reason) {
  return check_text("the operator's name", operator_name).and_then([&] {
    return check_text("the reason", reason);
  });
}

wire::Heuristic to_wire(const TransactionId& transaction, const state::Heuristic& one) {
  wire::Heuristic out;
  out.transaction = to_string(transaction);
  out.outcome = rpc::to_wire(one.outcome);
  out.kind = to_wire(one.kind());
  out.found_at_ms = one.found_at.value;
  out.listed = static_cast<std::int64_t>(one.listed);
  for (const state::HeuristicBranch& branch : one.branches) {
    out.branches.push_back(to_wire(transaction, branch));
  }
  if (one.resolution) out.__set_resolution(to_wire(*one.resolution));
  return out;
}

wire::HeuristicsReply to_wire(const state::Heuristics& heuristics) {
  auto out = rpc::versioned<wire::HeuristicsReply>();
  for (const auto& [transaction, one] : heuristics.kept()) {
    out.heuristics.push_back(to_wire(transaction, one));
  }
  out.untold = static_cast<std::int64_t>(heuristics.untold());
  return out;
}

Result<state::Command> from_wire(const wire::ForgetHeuristicRequest& request) {
  if (request.__isset.untold) return untold_from_wire(request);
  return check_all_words(request).map([&](const TransactionId& transaction) {
    return state::Command(
        state::HeuristicForgotten{transaction, request.operator_name, request.reason});
  });
}

Result<state::HeuristicResolved> from_wire(const wire::ResolveRequest& request) {
  return check_all_words(request).and_then([&](const TransactionId& transaction) {
    return rpc::from_wire(request.outcome).map([&](Outcome outcome) {
      return state::HeuristicResolved{transaction, outcome, request.operator_name, request.reason};
    });
  });
}

}  // namespace assent::coordinator
