// What belongs to a session: settings, DISCARD ALL, cursors, notifications, advisory locks.
#include <algorithm>
#include <set>
#include <utility>

#include "tests/simulation/postgres/commands.h"
#include "tests/simulation/postgres/sql_text.h"

namespace assent::model {
namespace {

// ── settings ────────────────────────────────────────────────────────────────────────────────────

std::optional<Answer> refuse_setting(const Backend& backend, const std::string& name,
                                     const Value& value) {
  const auto& options = backend.instance().options;
  if (!backend.session.settings.defaults.contains(name) && name.find('.') == std::string::npos) {
    return error("42704", "unrecognized configuration parameter \"" + name + "\"");
  }
  if (name != "role" || !value || lower(*value) == "none") return std::nullopt;
  const std::string& mine = backend.login().role;
  const bool known = *value == options.control_role || *value == options.work_role ||
                     *value == "postgres" || *value == mine;
  if (!known) return error("22023", "role \"" + *value + "\" does not exist");
  const bool member = *value == mine || mine == "postgres" ||
                      (mine == options.control_role && *value == options.work_role);
  if (member) return std::nullopt;
  return error("42501", "permission denied to set role \"" + *value + "\"");
}

Step set(Backend& backend, const std::string& given, Value value, bool local) {
  const std::string name = lower(given);
  if (value && lower(*value) == "default") value.reset();
  if (auto refused = refuse_setting(backend, name, value)) return *refused;
  if (local && !backend.in_block()) {
    backend.warn("SET LOCAL can only be used in transaction blocks");
  }
  backend.session.settings.set(name, value, local);
  return done("SET");
}

Step set_session(Backend& backend, const Values& values) {
  return set(backend, *values[0], values[1], false);
}

Step set_local(Backend& backend, const Values& values) {
  return set(backend, *values[0], values[1], true);
}

Step set_role(Backend& backend, const Values& values) {
  return set(backend, "role", values[0], false);
}

Step reset(Backend& backend, const Values& values) {
  if (lower(*values[0]) == "all") {
    const std::string role = backend.session.settings.get("role");  // which RESET ALL leaves
    backend.session.settings.reset_all();
    backend.session.settings.set("role", role, false);
    return done("RESET");
  }
  const Step step = set(backend, *values[0], std::nullopt, false);
  const Answer* answer = std::get_if<Answer>(&step);
  return answer != nullptr && !answer->ok() ? step : done("RESET");
}

Step reset_authorization(Backend& backend, const Values&) {
  backend.session.settings.set("role", std::nullopt, false);
  return done("SET");
}

Step show(Backend& backend, const Values& values) {
  const std::string name = lower(*values[0]);
  if (auto refused = refuse_setting(backend, name, std::nullopt)) return *refused;
  Answer answer = rows({{name, kText}}, {{backend.session.settings.get(name)}});
  answer.result.command_tag = "SHOW";
  answer.result.row_count = 0;
  return answer;
}

Step discard_all(Backend& backend, const Values&) {
  if (backend.in_transaction_block()) {
    return error("25001", "DISCARD ALL cannot run inside a transaction block");
  }
  backend.session.settings.reset_all();
  backend.session.holdable_cursors.clear();
  if (std::exchange(backend.session.temporary_table, false)) {
    backend.store().assign_xid(backend.transaction());
  }
  backend.release_advisory(true);
  return done("DISCARD ALL");
}

// There are none.
Step discard_sequences(Backend&, const Values&) {
  return done("DISCARD SEQUENCES");
}

// ── notifications and cursors ───────────────────────────────────────────────────────────────────

Step listen(Backend& backend, const Values&) {
  backend.session.listened = backend.session.changes_listening = true;
  return done("LISTEN");
}

// A backend that has never listened has nothing to do, and leaves no trace.
Step unlisten(Backend& backend, const Values&) {
  if (backend.has_listened || backend.session.changes_listening) {
    backend.session.listened = backend.session.changes_listening = true;
  }
  return done("UNLISTEN");
}

Step notify(Backend& backend, const Values&) {
  backend.session.listened = backend.session.notified = true;
  return done("NOTIFY");
}

Step declare_holdable(Backend& backend, const Values& values) {
  const std::string name = lower(*values[0]);
  if (!backend.session.holdable_cursors.insert(name).second) {
    return error("42P03", "cursor \"" + name + "\" already exists");
  }
  backend.session.new_holdable_cursor = true;
  return done("DECLARE CURSOR");
}

Step close(Backend& backend, const Values& values) {
  const std::string name = lower(*values[0]);
  if (backend.session.holdable_cursors.erase(name) == 0) {
    return error("34000", "cursor \"" + name + "\" does not exist");
  }
  backend.session.new_holdable_cursor = false;
  return done("CLOSE CURSOR");
}

// ── advisory locks ──────────────────────────────────────────────────────────────────────────────

bool is_mine(const Backend& backend, const AdvisoryHolder& holder) {
  return holder.prepared == 0 && holder.session == backend.id();
}

// Transactions hold a lock once, sessions as often as they took it.
Step lock(Backend& backend, const Value& text, bool of_transaction, bool wait) {
  const std::int64_t key = to_number(text.value_or("0")).value_or(0);
  auto& holders = backend.instance().advisory_locks[key];
  for (const AdvisoryHolder& holder : holders) {
    if (is_mine(backend, holder)) continue;
    if (wait) return Blocked{std::nullopt, key, false, holder.prepared, holder.session};
    return one_value("pg_try_advisory_xact_lock", kBool, boolean(false));
  }
  const bool new_one = !of_transaction || backend.session.advisory_locks.insert(key).second;
  if (new_one) holders.push_back({backend.id(), 0, of_transaction});
  if (!wait) return one_value("pg_try_advisory_xact_lock", kBool, boolean(true));
  return one_value(of_transaction ? "pg_advisory_xact_lock" : "pg_advisory_lock", kVoid, "");
}

Step lock_session(Backend& backend, const Values& values) {
  return lock(backend, values[0], false, true);
}

Step lock_transaction(Backend& backend, const Values& values) {
  return lock(backend, values[0], true, true);
}

Step try_lock_transaction(Backend& backend, const Values& values) {
  return lock(backend, values[0], true, false);
}

Step unlock(Backend& backend, const Values& values) {
  const std::int64_t key = to_number(values[0].value_or("0")).value_or(0);
  auto& holders = backend.instance().advisory_locks[key];
  const auto found = std::ranges::find_if(holders, [&](const AdvisoryHolder& holder) {
    return is_mine(backend, holder) && !holder.of_transaction;
  });
  const bool held = found != holders.end();
  if (held) holders.erase(found);
  if (holders.empty()) backend.instance().advisory_locks.erase(key);
  if (!held) backend.warn("you don't own a lock of type ExclusiveLock");
  backend.instance().wake_waiters();
  return one_value("pg_advisory_unlock", kBool, boolean(held));
}

Step unlock_all(Backend& backend, const Values&) {
  backend.release_advisory(true);
  return one_value("pg_advisory_unlock_all", kVoid, "");
}

constexpr Rule kRules[] = {
    {"SET LOCAL ? TO ?", set_local},
    {"SET LOCAL ? = ?", set_local},
    {"SET SESSION ? TO ?", set_session},
    {"SET SESSION AUTHORIZATION DEFAULT", reset_authorization},
    {"SET ROLE ?", set_role},
    {"SET ? TO ?", set_session},
    {"SET ? = ?", set_session},
    {"RESET ?", reset},
    {"SHOW ?", show},
    {"DISCARD ALL", discard_all},
    {"DISCARD SEQUENCES", discard_sequences},
    {"LISTEN ?", listen},
    {"UNLISTEN ?", unlisten},
    {"UNLISTEN *", unlisten},
    {"NOTIFY ?", notify},
    {"DECLARE ? CURSOR WITH HOLD FOR SELECT 1", declare_holdable},
    {"CLOSE ?", close},
    {"SELECT pg_advisory_lock(?)", lock_session},
    {"SELECT pg_advisory_xact_lock(?)", lock_transaction},
    {"SELECT pg_try_advisory_xact_lock(?)", try_lock_transaction},
    {"SELECT pg_advisory_unlock(?)", unlock},
    {"SELECT pg_advisory_unlock_all()", unlock_all},
};

}  // namespace

Rules session_rules() {
  return kRules;
}

}  // namespace assent::model
