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
  return out;
}

Result<void> check_text(const char* what, const std::string& text) {
  if (!text.empty() && text.size() <= kTextMax) return {};
  return failure(ErrorCode::kInvalidArgument,
                 std::string(what) + " is 1 to " + std::to_string(kTextMax) + " bytes long");
}

}  // namespace

wire::HeuristicsReply to_wire(const state::Heuristics& heuristics) {
  auto out = rpc::versioned<wire::HeuristicsReply>();
  for (const auto& [transaction, one] : heuristics.kept()) {
    out.heuristics.push_back(to_wire(transaction, one));
  }
  out.untold = static_cast<std::int64_t>(heuristics.untold());
  return out;
}

Result<state::HeuristicForgotten> from_wire(const wire::ForgetHeuristicRequest& request) {
  auto texts = check_text("the operator's name", request.operator_name).and_then([&] {
    return check_text("the reason", request.reason);
  });
  if (!texts) return tl::unexpected(texts.error());
  return rpc::transaction_from_wire(request.transaction).map([&](const TransactionId& transaction) {
    return state::HeuristicForgotten{transaction, request.operator_name, request.reason};
  });
}

}  // namespace assent::coordinator
