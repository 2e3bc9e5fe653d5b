// How many one-shots may be under way at one participant. What is let in beyond that takes part of
// the work of what could be finished: branches prepare faster than they are committed, until the
// prepared slots of a database are gone, and every transaction that has one elsewhere aborts.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "base/error.h"
#include "base/ids.h"
#include "base/time.h"
#include "coordinator/commit/office.h"

namespace assent::coordinator {

// Hears of everything that an office sends and is told.
class Admission {
 public:
  // So many branches of one-shots at each participant, from the first prepare to the confirmation.
  explicit Admission(std::size_t one_shots_max) : one_shots_max_(one_shots_max) {}

  // kOverloaded, with the participant that has no room; nothing when the request may go on. A
  // repeat always may: what an earlier copy did is the office's to say (R9). So may branches that
  // the client has opened: to end them makes room.
  [[nodiscard]] std::optional<Error> objection(const commit::CommitAsked& asked) const;

  // To be called when there is an objection, before it is told: those that ended unheard leave, as
  // a branch does that was never reached. `driven` says whether the office still drives a
  // transaction; it is asked for all of them, but once in a while only.
  void look_again(MonoTime now, const std::function<bool(const TransactionId&)>& driven);

  void sent(const commit::SendPrepare& prepare);
  void arrived(const commit::Input& input);

 private:
  void ended(const std::string& participant, const TransactionId& transaction);

  const std::size_t one_shots_max_;
  std::map<std::string, std::set<TransactionId>> under_way_;  // by participant
  std::optional<MonoTime> looked_;
};

}  // namespace assent::coordinator
