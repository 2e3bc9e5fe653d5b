#include "tests/simulation/postgres/commands.h"

#include <cstdio>
#include <map>
#include <set>
#include <unordered_map>
#include <utility>

#include "tests/simulation/postgres/sql_text.h"

namespace assent::model {
namespace {

// What a text is.
struct Known {
  std::string sql;             // normalised
  const Rule* rule = nullptr;  // none: the model does not know it
  std::vector<Found> values = {};
  bool takes_snapshot = false;
};

void find_rule(Known& known, std::size_t parameters) {
  for (const Rules rules : {bank_rules(), transaction_rules(), two_phase_rules(), session_rules(),
                            branch_outcome_rules(), inventory_rules(), agent_rules(),
                            landmark_rules(), preflight_rules()}) {
    for (const Rule& rule : rules) {
      auto values = match(rule.pattern, known.sql, parameters);
      if (!values) continue;
      known.rule = &rule;
      known.values = std::move(*values);
      return;
    }
  }
}

// These commands run without a snapshot.
bool takes_snapshot(const std::string& sql) {
  static const std::set<std::string> kWithout{
      "begin", "start", "commit",    "end",     "rollback", "abort",  "prepare", "set",
      "reset", "show",  "savepoint", "release", "listen",   "notify", "unlisten"};
  return !kWithout.contains(lower(sql.substr(0, sql.find(' '))));
}

constexpr std::size_t kKnownMax = 2'000;

// The same few texts come again and again; what a text means depends on nothing but on it and on
// how many parameters there are. What is returned is good until the next call.
const Known& look_up(const Command& command) {
  static std::unordered_map<std::string, std::map<std::size_t, Known>> all;
  const std::size_t parameters = command.parameters.size();
  if (const auto text = all.find(command.sql); text != all.end()) {
    const auto found = text->second.find(parameters);
    if (found != text->second.end()) return found->second;
  }
  if (all.size() == kKnownMax) all.clear();
  Known known{.sql = normalised(command.sql)};
  known.takes_snapshot = takes_snapshot(known.sql);
  find_rule(known, parameters);
  return all[command.sql].emplace(parameters, std::move(known)).first->second;
}

}  // namespace

std::string lsn_text(Lsn position) {
  char text[32];
  std::snprintf(text, sizeof text, "%X/%X", static_cast<unsigned>(position >> 32),
                static_cast<unsigned>(position));
  return text;
}

Step run_sql(Backend& backend, const Command& command) {
  const Known& known = look_up(command);
  if (known.rule == nullptr) {
    backend.instance().unknown_statements.push_back(known.sql);
    return error("42601", "the model server does not know: " + known.sql);
  }
  if (backend.transaction().failed && !known.rule->in_failed) {
    return error("25P02",
                 "current transaction is aborted, commands ignored until end of transaction block");
  }
  if (known.takes_snapshot) {
    backend.transaction().queried = true;
    backend.store().take_snapshot(backend.transaction());
  }
  return known.rule->run(backend, values_of(known.values, command.parameters));
}

std::optional<Answer> refuse_write(Backend& backend, const char* word) {
  if (backend.login().standby || backend.session.read_only) {
    return error("25006", std::string("cannot execute ") + word + " in a read-only transaction");
  }
  return std::nullopt;
}

}  // namespace assent::model
