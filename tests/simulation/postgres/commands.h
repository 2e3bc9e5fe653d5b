// The SQL that the model knows, kind by kind.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tests/simulation/postgres/backend.h"

namespace assent::model {

using Values = std::vector<Value>;

struct Rule {
  std::string_view pattern;  // as match() takes it
  Step (*run)(Backend& backend, const Values& values);
  bool in_failed = false;  // it works in a failed transaction
};
using Rules = std::span<const Rule>;

Rules transaction_rules();     // BEGIN to PREPARE TRANSACTION
Rules two_phase_rules();       // COMMIT PREPARED, ROLLBACK PREPARED
Rules session_rules();         // settings, DISCARD ALL, cursors, notifications, advisory locks
Rules bank_rules();            // client SQL
Rules agent_rules();           // identity, fence, control, settling, outcome rows, lock watch
Rules landmark_rules();        // how far a life has come
Rules branch_outcome_rules();  // that a prepared branch has committed
Rules inventory_rules();       // what is prepared under the agent's names
Rules preflight_rules();       // what the agent looks at before it serves

// Type oids.
inline constexpr std::uint32_t kBool = 16;
inline constexpr std::uint32_t kInt8 = 20;
inline constexpr std::uint32_t kInt4 = 23;
inline constexpr std::uint32_t kText = 25;
inline constexpr std::uint32_t kNumeric = 1700;
inline constexpr std::uint32_t kVoid = 2278;
inline constexpr std::uint32_t kXid8 = 5069;
inline constexpr std::uint32_t kPgLsn = 3220;

inline Value boolean(bool value) {
  return std::string(value ? "t" : "f");
}
inline Answer one_value(const char* name, std::uint32_t type, Value value) {
  return rows({{name, type}}, {{std::move(value)}});
}
std::string lsn_text(Lsn position);
// Without a column's name: the shell reads by position.
Answer unnamed(std::vector<Row> found, std::size_t columns);

// Whether the backend has the control role's rights.
bool is_control(const Backend& backend);
Answer refused(const char* what);
// What precedes every vote.
void put_settings_back(Backend& backend);

// Why a statement of that word may not write; none when it may.
std::optional<Answer> refuse_write(Backend& backend, const char* word);
// What is checked at the end of every transaction; none when all is well.
std::optional<Answer> check_deferred(const Backend& backend);
std::optional<Answer> check_serializable(Backend& backend);
// PREPARE TRANSACTION of an open block.
Step prepare(Backend& backend, const std::string& gid);

}  // namespace assent::model
