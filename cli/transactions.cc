#include "cli/transactions.h"

#include <algorithm>
#include <utility>

#include "base/ids.h"
#include "cli/describe.h"
#include "cli/heuristics.h"
#include "cli/words.h"

namespace assent::cli {
namespace {

using nlohmann::json;

constexpr std::int32_t kAtOnce = 500;

json as_json(const wire::DrivenBranch& one) {
  return {{"participant", one.branch.participant},
          {"epoch", one.branch.epoch},
          {"attempt", one.branch.attempt},
          {"stage", word(one.stage)},
          {"last_loss", one.__isset.last_loss ? json(one.last_loss) : json()},
          {"next_try_ms", one.__isset.next_try_ms ? json(one.next_try_ms) : json()}};
}

// A hazard without a record that nobody has decided.
bool left_to_operator(const wire::TransactionState& one) {
  return one.__isset.heuristic && !one.__isset.record && one.heuristic.listed == 0 &&
         one.heuristic.kind == wire::HeuristicKind::HAZARD;
}

}  // namespace

const char* word(wire::Stage::type stage) {
  static constexpr Word<wire::Stage::type> kWords[] = {{wire::Stage::PREPARING, "preparing"},
                                                       {wire::Stage::ONE_PHASE, "one-phase"},
                                                       {wire::Stage::SETTLING, "settling"},
                                                       {wire::Stage::PROPOSING, "proposing"},
                                                       {wire::Stage::FINISHING, "finishing"}};
  return word_in(kWords, stage);
}

const char* word(wire::BranchStage::type stage) {
  static constexpr Word<wire::BranchStage::type> kWords[] = {
      {wire::BranchStage::HELD, "held"},   {wire::BranchStage::ASKED, "asked"},
      {wire::BranchStage::VOTED, "voted"}, {wire::BranchStage::LEFT, "left"},
      {wire::BranchStage::STRAY, "stray"}, {wire::BranchStage::ENDING, "ending"},
      {wire::BranchStage::ENDED, "ended"}};
  return word_in(kWords, stage);
}

std::string state_word(const wire::TransactionState& one) {
  if (one.__isset.driven) return word(one.driven.stage);
  if (left_to_operator(one)) return "left to an operator";
  if (one.__isset.heuristic) return "ended otherwise";
  if (!one.__isset.record) return "unknown";
  return one.record.forgotten_in == 0 ? "finishing" : "applied";
}

std::optional<wire::Outcome::type> outcome_of(const wire::TransactionState& one) {
  if (one.__isset.record) return one.record.outcome;
  if (one.__isset.driven && one.driven.stage == wire::Stage::FINISHING) return one.driven.outcome;
  if (one.__isset.heuristic && one.heuristic.__isset.resolution) {
    return one.heuristic.resolution.outcome;
  }
  return std::nullopt;
}

bool in_doubt(const wire::TransactionState& one) {
  if (left_to_operator(one)) return true;
  if (!one.__isset.driven) return one.__isset.record && one.record.forgotten_in == 0;
  return std::ranges::any_of(one.driven.branches, [](const wire::DrivenBranch& branch) {
    return branch.stage == wire::BranchStage::VOTED || branch.stage == wire::BranchStage::STRAY ||
           branch.stage == wire::BranchStage::ENDING;
  });
}

bool touches(const wire::TransactionState& one, const std::string& participant) {
  const auto is_there = [&](const auto& branch) {
    return branch.branch.participant == participant;
  };
  return (one.__isset.driven && std::ranges::any_of(one.driven.branches, is_there)) ||
         (one.__isset.record && std::ranges::any_of(one.record.branches, is_there)) ||
         (one.__isset.heuristic && std::ranges::any_of(one.heuristic.branches, is_there));
}

Millis age_of(const wire::TransactionState& one, const wire::Viewpoint& viewpoint) {
  const auto id = parse_transaction_id(one.transaction);
  if (!id) return Millis(0);
  return std::max(Millis(0), LogTime(viewpoint.now_ms) - id->time());
}

Result<Transactions> restless_transactions(GroupClient& client) {
  Transactions out;
  for (;;) {
    wire::TransactionsRequest request;
    request.limit = kAtOnce;
    if (!out.all.empty()) request.__set_after(out.all.back().transaction);
    auto reply = client.transactions(std::move(request));
    if (!reply) return tl::unexpected(reply.error());
    out.viewpoint = reply->viewpoint;
    std::ranges::move(reply->transactions, std::back_inserter(out.all));
    if (!reply->more || reply->transactions.empty()) return out;
  }
}

Result<Transactions> named_transactions(GroupClient& client,
                                        const std::vector<std::string>& names) {
  Transactions out;
  for (std::size_t from = 0; from == 0 || from < names.size();) {
    const std::size_t to = std::min(names.size(), from + kAtOnce);
    wire::TransactionsRequest request;
    request.__set_transactions({names.begin() + static_cast<std::ptrdiff_t>(from),
                                names.begin() + static_cast<std::ptrdiff_t>(to)});
    auto reply = client.transactions(std::move(request));
    if (!reply) return tl::unexpected(reply.error());
    out.viewpoint = reply->viewpoint;
    std::ranges::move(reply->transactions, std::back_inserter(out.all));
    from = std::max<std::size_t>(to, 1);
  }
  return out;
}

json as_json(const wire::TransactionState& one, const wire::Viewpoint& viewpoint) {
  json branches = json::array();
  if (one.__isset.driven) {
    for (const wire::DrivenBranch& branch : one.driven.branches) {
      branches.push_back(as_json(branch));
    }
  }
  const auto outcome = outcome_of(one);
  const bool bounded = one.__isset.driven && one.driven.__isset.deadline_in_ms;
  return {
      {"transaction", one.transaction},
      {"state", state_word(one)},
      {"outcome", outcome ? json(word(*outcome)) : json()},
      {"in_doubt", in_doubt(one)},
      {"age_ms", age_of(one, viewpoint).value},
      {"decided_at", one.__isset.record ? json(utc(LogTime(one.record.decided_at_ms))) : json()},
      {"deadline_in_ms", bounded ? json(one.driven.deadline_in_ms) : json()},
      {"callers", one.__isset.driven ? json(one.driven.callers) : json(0)},
      {"branches", branches}};
}

}  // namespace assent::cli
