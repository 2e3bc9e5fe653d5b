// How many one-shots may be under way at one participant. What is let in beyond that takes part of
// the work of what could be finished: branches prepare faster than they are committed, until the
// prepared slots of a database are gone, and every transaction that has one elsewhere aborts. So
// those that are to be prepared are no more than nine in ten of the slots that the server has, as
// its agent tells; the rest is left to interactive transactions, and to whoever else prepares
// there.
#pragma once

#include <cstddef>
#include <cstdint>
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
  // So many branches of one-shots at each participant at most, from the first prepare to the
  // confirmation.
  explicit Admission(std::size_t one_shots_max) : one_shots_max_(one_shots_max) {}

  // Whether a participant commits in one phase what is its transaction's only writer.
  using OnePhaseAt = std::function<bool(const std::string& participant)>;

  // kOverloaded, with the participant that has no room; nothing when the request may go on. A
  // repeat always may: what an earlier copy did is the office's to say (R9). So may branches that
  // the client has opened: to end them makes room. One that commits in one phase needs no slot.
  [[nodiscard]] std::optional<Error> objection(const commit::CommitAsked& asked,
                                               const OnePhaseAt& one_phase_at) const;

  // To be called when there is an objection, before it is told: those that ended unheard leave, as
  // a branch does that was never reached. `driven` says whether the office still drives a
  // transaction; it is asked for all of them, but once in a while only.
  void look_again(MonoTime now, const std::function<bool(const TransactionId&)>& driven);

  void sent(const commit::SendPrepare& prepare);
  void arrived(const commit::Input& input);

 private:
  struct UnderWay {
    std::set<TransactionId> prepared;  // or about to be: each has a slot
    std::set<TransactionId> one_phase;

    [[nodiscard]] std::size_t size() const { return prepared.size() + one_phase.size(); }
  };

  void ended(const std::string& participant, const TransactionId& transaction);
  [[nodiscard]] std::optional<Error> objection_at(const std::string& participant,
                                                  bool takes_slot) const;

  const std::size_t one_shots_max_;
  std::map<std::string, UnderWay> under_way_;   // by participant
  std::map<std::string, std::uint64_t> slots_;  // of their servers, as told last
  std::optional<MonoTime> looked_;
};

}  // namespace assent::coordinator
