// What a restore from a backup leaves behind in the replicated state (R15; docs/adr/0008 has the
// argument).
#pragma once

#include <cstdint>
#include <limits>

#include "base/ids.h"
#include "base/time.h"

namespace assent::state {

struct Restoration {
  // Of every ballot from now on, at least: whoever led before the backup was restored has a lower
  // one, and agents do not heed him (R4).
  Incarnation incarnation{1};
  // The backup, by its content: replicas of one group have restored the same one. 0: none.
  std::uint64_t backup = 0;
  // The first leader of the incarnation has taken office: the floor stands above every id that the
  // lost log can have decided.
  bool begun = true;
  // How far log time runs ahead of the clock on the wall: ids were accepted up to kIdsAhead in
  // front of it, so each restore goes that far.
  Millis ahead{0};

  [[nodiscard]] bool restored() const { return backup != 0; }
  bool operator==(const Restoration&) const = default;
};

// Ids that lie further ahead of log time are refused (R17).
inline constexpr Millis kIdsAhead{60'000};

// Offices that a lost log may have counted at most behind its backup: promises to them fit no
// office that is to come (docs/adr/0005, point 11).
inline constexpr std::uint64_t kOfficesLostMax = 65'536;

// ParticipantRecord::quarantined_below of one that has not enrolled since the restore.
inline constexpr Epoch kNotSinceRestore{std::numeric_limits<std::uint64_t>::max()};

}  // namespace assent::state
