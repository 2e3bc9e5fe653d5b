#include "cli/describe.h"

#include <chrono>
#include <cstdio>
#include <ctime>

#include "base/overloaded.h"
#include "coordinator/storage/consensus_record.h"

namespace assent::cli {
namespace {

using nlohmann::json;

constexpr std::int64_t kMillisInSecond = 1'000;

std::string database(const state::DatabaseIdentity& identity) {
  return std::to_string(identity.system_identifier) + "/" + std::to_string(identity.database_oid);
}

// ── branches ────────────────────────────────────────────────────────────────────────────────────

std::string words(const std::vector<state::DecidedBranch>& branches) {
  std::string out;
  for (const state::DecidedBranch& branch : branches) {
    out += " " + branch.participant + ":" + to_string(branch.epoch) + "." +
           to_string(branch.attempt) + " xid " + std::to_string(branch.evidence.xid);
  }
  return out.empty() ? " no branch" : out;
}

json as_json(const state::DecidedBranch& branch) {
  return {{"participant", branch.participant},
          {"epoch", branch.epoch.value},
          {"attempt", branch.attempt.value},
          {"xid", branch.evidence.xid},
          {"system_identifier", branch.evidence.system_identifier},
          {"timeline", branch.evidence.timeline},
          {"wal_position", branch.evidence.wal_position}};
}

json as_json(const std::vector<state::DecidedBranch>& branches) {
  json out = json::array();
  for (const state::DecidedBranch& branch : branches) out.push_back(as_json(branch));
  return out;
}

json as_json(const std::vector<TransactionId>& transactions) {
  json out = json::array();
  for (const TransactionId& id : transactions) out.push_back(to_string(id));
  return out;
}

// ── participants that are taken out ─────────────────────────────────────────────────────────────

template <class Withdrawing>
std::string withdrawing(const std::string& command, const Withdrawing& one) {
  return command + " " + one.participant + " by " + one.operator_name + ": " + one.reason;
}

template <class Withdrawing>
json withdrawing_json(const char* command, const Withdrawing& one) {
  return {{"command", command},
          {"participant", one.participant},
          {"operator", one.operator_name},
          {"reason", one.reason}};
}

// ── replicas ────────────────────────────────────────────────────────────────────────────────────

std::string disk_text(const state::Member& member) {
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(member.disk));
  return member.disk == 0 ? "not known" : digits;
}

std::string words(const state::Member& member) {
  return to_string(member.id) + " (clients at " + member.client_address + ", peers at " +
         member.peer_address + ", disk " + disk_text(member) + ")";
}

json as_json(const state::Member& member) {
  return {{"replica", member.id.value},
          {"disk", disk_text(member)},
          {"client_address", member.client_address},
          {"peer_address", member.peer_address},
          {"admin_address", member.admin_address}};
}

// ── records ─────────────────────────────────────────────────────────────────────────────────────

Result<state::Entry> entry_of(const paxos::Accepted& accepted) {
  return state::decode_entry(*accepted.value);
}

Result<std::string> words(const paxos::Accepted& accepted) {
  const std::string begin = "accepted    slot " + to_string(accepted.slot) + ", ballot " +
                            to_string(accepted.ballot) + ": ";
  if (paxos::is_noop(accepted.value)) return begin + "no-op";
  return entry_of(accepted).map([&](const state::Entry& entry) {
    std::string out = begin + utc(entry.time);
    for (const state::Command& command : entry.commands) out += "\n    " + cli::words(command);
    return out;
  });
}

json as_json(const paxos::Accepted& accepted) {
  json out = {{"slot", accepted.slot.value}, {"ballot", to_string(accepted.ballot)}};
  if (paxos::is_noop(accepted.value)) {
    out["noop"] = true;
    return out;
  }
  const Result<state::Entry> entry = entry_of(accepted);
  if (!entry) {
    out["damaged"] = entry.error().message;
    return out;
  }
  out["time"] = entry->time.value;
  out["commands"] = json::array();
  for (const state::Command& command : entry->commands) {
    out["commands"].push_back(cli::as_json(command));
  }
  return out;
}

struct Kind {
  const char* name;
  json members;
  Result<std::string> in_words;
};

Kind kind_of(const paxos::Record& record) {
  return std::visit(Overloaded{
                        [](const paxos::Promised& promised) -> Kind {
                          return {"promised",
                                  {{"ballot", to_string(promised.ballot)}},
                                  "promised    ballot " + to_string(promised.ballot)};
                        },
                        [](const paxos::Accepted& accepted) -> Kind {
                          return {"accepted", as_json(accepted), words(accepted)};
                        },
                        [](const paxos::ChosenMark& mark) -> Kind {
                          return {"chosen_mark",
                                  {{"through", mark.through.value}},
                                  "chosen mark slot " + to_string(mark.through)};
                        },
                        [](const paxos::Repaired& repaired) -> Kind {
                          return {"repaired",
                                  {{"through", repaired.through.value}},
                                  "repaired    slot " + to_string(repaired.through)};
                        },
                    },
                    record);
}

Kind unreadable(const Error& error) {
  return {"unreadable", {{"damaged", error.message}}, tl::unexpected(error)};
}

Kind kind_of_base(std::string_view payload) {
  const Result<Slot> base = storage::decode_base(payload);
  if (!base) return unreadable(base.error());
  return {"base", {{"through", base->value}}, "base        slot " + to_string(*base)};
}

Kind kind_of_repaired(std::string_view payload) {
  const auto record = storage::decode_record(storage::RecordType::kRepaired, payload);
  const auto scope = storage::decode_repair_scope(payload);
  if (!record || !scope) return unreadable(record ? scope.error() : record.error());
  Kind kind = kind_of(*record);
  std::string text = *kind.in_words;
  if (scope->base != Slot(0)) text += ", beside the snapshot of slot " + to_string(scope->base);
  kind.members["base"] = scope->base.value;
  kind.members["lost"] = json::array();
  for (const storage::LostRecords& lost : scope->lost) {
    const storage::Sequence last(lost.next.value - 1);
    text += (kind.members["lost"].empty() ? ", of records " : ", ") + to_string(lost.first) +
            (lost.first == last ? "" : " to " + to_string(last));
    kind.members["lost"].push_back({{"first", lost.first.value}, {"next", lost.next.value}});
  }
  kind.in_words = std::move(text);
  return kind;
}

Kind kind_of(const storage::InspectedRecord& record) {
  switch (static_cast<storage::RecordType>(record.header.type)) {
    case storage::RecordType::kBase:
      return kind_of_base(record.payload);
    case storage::RecordType::kRepaired:
      return kind_of_repaired(record.payload);
    case storage::RecordType::kPromised:
    case storage::RecordType::kAccepted:
    case storage::RecordType::kChosenMark: {
      const auto type = static_cast<storage::RecordType>(record.header.type);
      const auto decoded = storage::decode_record(type, record.payload);
      return decoded ? kind_of(*decoded) : unreadable(decoded.error());
    }
  }
  return unreadable({ErrorCode::kUnsupportedVersion, "a record of type " +
                                                         std::to_string(record.header.type) +
                                                         ", which this version does not know"});
}

}  // namespace

std::string utc(LogTime time) {
  const std::time_t seconds = time.value / kMillisInSecond;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[32];
  const std::size_t length = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  char millis[8];
  std::snprintf(millis, sizeof millis, ".%03dZ", static_cast<int>(time.value % kMillisInSecond));
  return std::string(text, length) + millis;
}

std::string words(const state::Command& command) {
  return std::visit(
      Overloaded{
          [](const state::OfficeTaken& one) { return "OfficeTaken " + to_string(one.ballot); },
          [](const state::Committed& one) {
            return "Committed " + to_string(one.transaction) + ":" + words(one.branches);
          },
          [](const state::Aborted& one) {
            return "Aborted " + to_string(one.transaction) + ":" + words(one.branches) + ", " +
                   std::string(name(one.reason.code)) + ": " + one.reason.message;
          },
          [](const state::Forgotten& one) {
            std::string out = "Forgotten";
            for (const TransactionId& id : one.transactions) out += " " + to_string(id);
            return out;
          },
          [](const state::Enrolled& one) {
            return "Enrolled " + one.participant + ": database " + database(one.identity) +
                   ", stored epoch " + to_string(one.stored_epoch) + ", timeline " +
                   std::to_string(one.timeline) + ", WAL " + std::to_string(one.wal_position) +
                   (one.landmark ? ", landmark " + std::to_string(*one.landmark) : "") +
                   (one.left_at ? ", left at " + std::to_string(*one.left_at) : "") +
                   (one.takeover ? ", takeover" : "") + ", clients at " + one.client_address +
                   ", peers at " + one.peer_address;
          },
          [](const state::GroupFounded& one) {
            std::string out = "GroupFounded";
            for (const state::Member& member : one.members) out += " " + words(member);
            return out;
          },
          [](const state::ReplicaAdded& one) { return "ReplicaAdded " + words(one.replica); },
          [](const state::ReplicaPromoted& one) {
            return "ReplicaPromoted " + to_string(one.replica);
          },
          [](const state::ReplicaRemoved& one) {
            return "ReplicaRemoved " + to_string(one.replica);
          },
          [](const state::ReplicaMoved& one) { return "ReplicaMoved " + words(one.replica); },
          [](const state::HeuristicFound& one) {
            return "HeuristicFound " + to_string(one.transaction) + " " +
                   std::string(name(one.outcome)) + ":" + words(std::vector{one.branch}) + ", " +
                   std::string(name(one.result));
          },
          [](const state::HeuristicForgotten& one) {
            return "HeuristicForgotten " + to_string(one.transaction) + " by " + one.operator_name +
                   ": " + one.reason;
          },
          [](const state::HeuristicResolved& one) {
            return "HeuristicResolved " + to_string(one.transaction) + " " +
                   std::string(name(one.outcome)) + " by " + one.operator_name + ": " + one.reason;
          },
          [](const state::UntoldForgotten& one) {
            return "UntoldForgotten " + std::to_string(one.count) + " by " + one.operator_name +
                   ": " + one.reason;
          },
          [](const state::ParticipantDrained& one) {
            return withdrawing("ParticipantDrained", one);
          },
          [](const state::ParticipantResumed& one) {
            return withdrawing("ParticipantResumed", one);
          },
          [](const state::ParticipantRemoved& one) {
            return withdrawing("ParticipantRemoved", one);
          },
          [](const state::LandmarkNoted& one) {
            return "LandmarkNoted " + one.participant + ": epoch " + to_string(one.landmark.epoch) +
                   ", WAL " + std::to_string(one.landmark.wal_position);
          },
      },
      command);
}

json as_json(const state::Command& command) {
  return std::visit(
      Overloaded{
          [](const state::OfficeTaken& one) -> json {
            return {{"command", "OfficeTaken"}, {"ballot", to_string(one.ballot)}};
          },
          [](const state::Committed& one) -> json {
            return {{"command", "Committed"},
                    {"transaction", to_string(one.transaction)},
                    {"request_hash", one.request_hash},
                    {"branches", as_json(one.branches)}};
          },
          [](const state::Aborted& one) -> json {
            return {{"command", "Aborted"},
                    {"transaction", to_string(one.transaction)},
                    {"request_hash", one.request_hash},
                    {"code", name(one.reason.code)},
                    {"reason", one.reason.message},
                    {"branches", as_json(one.branches)}};
          },
          [](const state::Forgotten& one) -> json {
            return {{"command", "Forgotten"}, {"transactions", as_json(one.transactions)}};
          },
          [](const state::Enrolled& one) -> json {
            json out{{"command", "Enrolled"},
                     {"participant", one.participant},
                     {"nonce", one.nonce},
                     {"stored_epoch", one.stored_epoch.value},
                     {"database", database(one.identity)},
                     {"timeline", one.timeline},
                     {"wal_position", one.wal_position},
                     {"client_address", one.client_address},
                     {"peer_address", one.peer_address},
                     {"one_phase", one.one_phase},
                     {"takeover", one.takeover}};
            if (one.landmark) out["landmark"] = *one.landmark;
            if (one.left_at) out["left_at"] = *one.left_at;
            return out;
          },
          [](const state::GroupFounded& one) -> json {
            json members = json::array();
            for (const state::Member& member : one.members) members.push_back(as_json(member));
            return {{"command", "GroupFounded"}, {"members", members}};
          },
          [](const state::ReplicaAdded& one) -> json {
            return {{"command", "ReplicaAdded"}, {"replica", as_json(one.replica)}};
          },
          [](const state::ReplicaPromoted& one) -> json {
            return {{"command", "ReplicaPromoted"}, {"replica", one.replica.value}};
          },
          [](const state::ReplicaRemoved& one) -> json {
            return {{"command", "ReplicaRemoved"}, {"replica", one.replica.value}};
          },
          [](const state::ReplicaMoved& one) -> json {
            return {{"command", "ReplicaMoved"}, {"replica", as_json(one.replica)}};
          },
          [](const state::HeuristicFound& one) -> json {
            return {{"command", "HeuristicFound"},   {"transaction", to_string(one.transaction)},
                    {"outcome", name(one.outcome)},  {"listed", one.listed},
                    {"branch", as_json(one.branch)}, {"result", name(one.result)}};
          },
          [](const state::HeuristicForgotten& one) -> json {
            return {{"command", "HeuristicForgotten"},
                    {"transaction", to_string(one.transaction)},
                    {"operator", one.operator_name},
                    {"reason", one.reason}};
          },
          [](const state::HeuristicResolved& one) -> json {
            return {{"command", "HeuristicResolved"},
                    {"transaction", to_string(one.transaction)},
                    {"outcome", name(one.outcome)},
                    {"operator", one.operator_name},
                    {"reason", one.reason}};
          },
          [](const state::UntoldForgotten& one) -> json {
            return {{"command", "UntoldForgotten"},
                    {"count", one.count},
                    {"operator", one.operator_name},
                    {"reason", one.reason}};
          },
          [](const state::ParticipantDrained& one) {
            return withdrawing_json("ParticipantDrained", one);
          },
          [](const state::ParticipantResumed& one) {
            return withdrawing_json("ParticipantResumed", one);
          },
          [](const state::ParticipantRemoved& one) {
            return withdrawing_json("ParticipantRemoved", one);
          },
          [](const state::LandmarkNoted& one) -> json {
            return {{"command", "LandmarkNoted"},
                    {"participant", one.participant},
                    {"epoch", one.landmark.epoch.value},
                    {"wal_position", one.landmark.wal_position}};
          },
      },
      command);
}

Result<std::string> words(const storage::InspectedRecord& record) {
  return kind_of(record).in_words;
}

json as_json(const storage::InspectedRecord& record) {
  Kind kind = kind_of(record);
  kind.members["kind"] = kind.name;
  return std::move(kind.members);
}

std::string one_line(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace assent::cli
