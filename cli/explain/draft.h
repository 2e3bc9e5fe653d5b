// What the sentences of all causes have in common. PURE.
#pragma once

#include <optional>
#include <string>

#include "cli/explain/explanation.h"
#include "cli/explain/situation.h"

namespace assent::explain {

class Draft {
 protected:
  // `facts` outlive it.
  explicit Draft(const Facts& facts) : facts_(facts), s_(facts) {}

  void is(std::string headline, std::string why);
  void next(std::string sentence) { out_.next.push_back(std::move(sentence)); }
  void command(std::string text, std::string why) {
    out_.commands.push_back({std::move(text), std::move(why)});
  }

  // Branches that have not confirmed the outcome: when they are told again, and what that needs.
  void pending();
  // Somebody has to.
  void bring_back(const std::string& who);
  // An operator has seen to it: `when` is what has to be so before.
  void forget(const std::string& when = "when that is done: ");
  void add_waiting();
  void add_missing();

  // Of T, as far as it is known; precondition: the cause is.
  [[nodiscard]] std::optional<Outcome> outcome() const;
  [[nodiscard]] std::string id() const { return to_string(*facts_.transaction); }
  [[nodiscard]] Millis retention() const { return facts_.log ? facts_.log->retention : Millis(0); }
  [[nodiscard]] std::string deadline_words() const;
  // Why branches have ended, as their agents remember it.
  [[nodiscard]] std::string ended_because() const;
  // The first such reason; empty: none is remembered.
  [[nodiscard]] std::string said_no() const;

  const Facts& facts_;
  const Situation s_;
  Explanation out_;
};

}  // namespace assent::explain
