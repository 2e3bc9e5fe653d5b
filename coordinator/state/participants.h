// A participant as the log knows it: its present life, and what is proven of its database's
// history.
//
// A database may lose what it has acknowledged: an asynchronous standby is promoted, an older copy
// is restored. From then on its history is another one, and what earlier lives prepared and
// committed may be missing in it. That is a break of the history. Lives between two breaks worked
// in one history, on one timeline, so their WAL positions compare.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "base/time.h"
#include "coordinator/state/command.h"

namespace assent::state {

struct Break {
  Landmark survived;  // what of the lives before is in the history since
  Epoch below;        // lives of lower epochs worked before it

  bool operator==(const Break&) const = default;
};

struct ParticipantRecord {
  // So many breaks are remembered; what lies before the oldest of them counts as lost. An
  // operator has let in each one that is no promotion.
  static constexpr std::size_t kBreaksMax = 16;

  DatabaseIdentity identity;  // immutable (R16)
  Epoch epoch;
  Epoch proven_epoch;  // highest known to stand in the database itself; below `epoch` at enrolment
  std::string nonce;
  std::uint32_t timeline = 0;
  std::uint64_t wal_position = 0;
  std::string client_address;
  std::string peer_address;
  bool one_phase = false;  // a single writing branch may commit there in one phase (R12)
  Tracking tracks_history = Tracking::kNone;  // how much of what follows is noted
  // On `timeline`: the highest WAL position with which a branch that committed has voted YES.
  std::uint64_t proven_position = 0;
  // Of the last break: lives of lower epochs worked in a history that may have been lost in part.
  // 0: there was none.
  Epoch broken_below;
  Landmark landmark;  // the highest known to stand in the database
  Landmark survived;  // of the last break: what of the lives before is in the history since
  LogTime broken_at;  // of the last break: when the log learnt of it; it happened before
  // Branches of lower epochs are of the time before the coordinator was restored from a backup:
  // without a record nothing is presumed of them (R15). 0: it never was; kNotSinceRestore: no life
  // has enrolled since.
  Epoch quarantined_below;
  // With Tracking::kEveryBreak. The breaks in the present history before the last one, the oldest
  // first; fewer than kBreaksMax.
  std::vector<Break> earlier;
  // Between lives of lower epochs there may have been breaks of which nothing is known.
  Epoch linear_from;

  // Whether a life before the last break prepared this branch: what ended it may be lost.
  [[nodiscard]] bool is_older(const DecidedBranch& branch) const;
  // Whether the database of now may lack this branch, which voted YES in an earlier history.
  [[nodiscard]] bool may_have_lost(const DecidedBranch& branch) const;

  // Another life begins. Precondition: nothing speaks against it, and it is not the present one, or
  // `log_was_lost`: the log that issued this participant's epochs is lost in part (R15).
  void begin(const Enrolled& life, LogTime time, bool log_was_lost);
  // The branch commits: what it says of the database is proven.
  void prove(const DecidedBranch& branch);
  // The life of that epoch has written that landmark.
  void note(const Landmark& written);

  bool operator==(const ParticipantRecord&) const = default;

 private:
  [[nodiscard]] bool is_in(const Break& one, const DecidedBranch& branch) const;
  void forget_breaks(Epoch until);
  [[nodiscard]] Landmark remember_breaks(Epoch stored, Landmark is_left);
};

Error enrolment_refusal(ErrorCode code, const Enrolled& life, std::string why);

// Why `life` must not begin: its database lacks what is proven of it (R16). None: it has all, or it
// is let in with a break, because another timeline has left the old one at a point that nobody
// tells here, or because an operator said so.
std::optional<Error> went_back(const ParticipantRecord& known, const Enrolled& life);

}  // namespace assent::state
