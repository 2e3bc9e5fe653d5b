// How the agent's shell keeps its landmarks (participant/postgres/landmarks.cc).
#include <string>
#include <utility>

#include "tests/simulation/postgres/commands.h"

namespace assent::model {
namespace {

// The position is read before the row is written.
Step write_landmark(Backend& backend, const Values& values) {
  if (auto refusal = refuse_write(backend, "INSERT")) return *refusal;
  if (!is_control(backend)) return refused("table landmark");
  const RowId row{"assent.landmark", values[0].value_or("")};
  if (auto blocked = backend.wait_for_row(row, true)) return *blocked;
  const Value position = lsn_text(backend.store().wal.end());
  backend.store().assign_xid(backend.transaction());
  backend.store().write(
      backend.transaction(), backend.session.changes, row,
      Row{values[0], position, values[1], backend.instance().postmaster, values[2], std::nullopt});
  return one_value("wal_position", kPgLsn, position);
}

Step read_landmark(Backend& backend, const Values& values) {
  const RowId row{"assent.landmark", values[0].value_or("")};
  const auto found = backend.store().read(row, backend.transaction(), backend.session.changes);
  std::vector<Row> answer;
  if (found) {
    answer.push_back({found->at(1), found->at(2), found->at(3), found->at(4), found->at(5)});
  }
  return unnamed(std::move(answer), 5);
}

Lsn position_of(const Row& row) {
  const std::string text = row.at(1).value();
  const std::size_t slash = text.find('/');
  return (std::stoull(text.substr(0, slash), nullptr, 16) << 32) |
         std::stoull(text.substr(slash + 1), nullptr, 16);
}

Step note_switch(Backend& backend, const Values& values) {
  if (auto refusal = refuse_write(backend, "UPDATE")) return *refusal;
  if (!is_control(backend)) return refused("table landmark");
  const RowId id{"assent.landmark", values[0].value_or("")};
  const auto promoted = backend.instance().promoted_at;
  const auto row = backend.store().read(id, backend.transaction(), backend.session.changes);
  if (!promoted || !row || row->at(5) || position_of(*row) >= *promoted) return done("UPDATE 0");
  if (std::to_string(std::stoull(row->at(2).value()) + 1) != values[1]) return done("UPDATE 0");
  if (auto blocked = backend.wait_for_row(id, true)) return *blocked;
  backend.store().assign_xid(backend.transaction());
  backend.store().write(
      backend.transaction(), backend.session.changes, id,
      Row{row->at(0), row->at(1), row->at(2), row->at(3), row->at(4), lsn_text(*promoted)});
  return done("UPDATE 1", 1);
}

Step drop_landmarks(Backend& backend, const Values&) {
  if (!is_control(backend)) return refused("table landmark");
  return done("DELETE 0");  // there are never so many here
}

constexpr Rule kRules[] = {
    {"INSERT INTO assent.landmark (epoch, wal_position, timeline, outcome_rows, "
     "server_started) VALUES (?::bigint, pg_current_wal_insert_lsn(), ?::integer, ?::boolean, % "
     "RETURNING wal_position",
     write_landmark},
    {"UPDATE assent.landmark SET left_at = pg_last_wal_replay_lsn() WHERE epoch = ?::bigint AND "
     "timeline + 1 = ?::integer AND left_at IS NULL AND pg_last_wal_receive_lsn() IS NOT NULL AND "
     "wal_position < pg_last_wal_replay_lsn()",
     note_switch},
    {"SELECT wal_position, timeline, server_started, outcome_rows, left_at FROM assent.landmark "
     "WHERE epoch = ?::bigint",
     read_landmark},
    {"DELETE FROM assent.landmark WHERE epoch < ?::bigint", drop_landmarks},
};

}  // namespace

Rules landmark_rules() {
  return kRules;
}

}  // namespace assent::model
