#include "tests/simulation/postgres/commands.h"

#include <cstdio>
#include <set>

#include "tests/simulation/postgres/sql_text.h"

namespace assent::model {
namespace {

struct Found {
  const Rule* rule;
  Values values;
};

std::optional<Found> find_rule(const std::string& sql, const std::vector<Value>& parameters) {
  for (const Rules rules : {bank_rules(), transaction_rules(), two_phase_rules(), session_rules(),
                            agent_rules(), preflight_rules()}) {
    for (const Rule& rule : rules) {
      if (auto values = match(rule.pattern, sql, parameters)) return Found{&rule, *values};
    }
  }
  return std::nullopt;
}

// These commands run without a snapshot.
bool takes_snapshot(const std::string& sql) {
  static const std::set<std::string> kWithout{
      "begin", "start", "commit",    "end",     "rollback", "abort",  "prepare", "set",
      "reset", "show",  "savepoint", "release", "listen",   "notify", "unlisten"};
  return !kWithout.contains(lower(sql.substr(0, sql.find(' '))));
}

}  // namespace

std::string lsn_text(Lsn position) {
  char text[32];
  std::snprintf(text, sizeof text, "%X/%X", static_cast<unsigned>(position >> 32),
                static_cast<unsigned>(position));
  return text;
}

Step run_sql(Backend& backend, const Command& command) {
  const std::string sql = normalised(command.sql);
  const auto found = find_rule(sql, command.parameters);
  if (!found) {
    backend.instance().unknown_statements.push_back(sql);
    return error("42601", "the model server does not know: " + sql);
  }
  if (backend.transaction().failed && !found->rule->in_failed) {
    return error("25P02",
                 "current transaction is aborted, commands ignored until end of transaction block");
  }
  if (takes_snapshot(sql)) {
    backend.transaction().queried = true;
    backend.store().take_snapshot(backend.transaction());
  }
  return found->rule->run(backend, found->values);
}

std::optional<Answer> refuse_write(Backend& backend, const char* word) {
  if (backend.login().standby || backend.session.read_only) {
    return error("25006", std::string("cannot execute ") + word + " in a read-only transaction");
  }
  return std::nullopt;
}

}  // namespace assent::model
