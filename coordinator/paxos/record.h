// What a replica keeps on stable storage, and the values that it keeps there.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>

#include "base/ids.h"

namespace assent::paxos {

// The value of a slot: opaque bytes, shared and never changed. Never null; empty is a no-op.
using Value = std::shared_ptr<const std::string>;

inline Value make_value(std::string bytes) {
  return std::make_shared<const std::string>(std::move(bytes));
}
inline bool is_noop(const Value& value) {
  return value->empty();
}

// An acceptor's answer to phase 2a of one slot.
struct AcceptedValue {
  Ballot ballot;  // under which it was accepted
  Value value;
};

// ── records, in the order in which the log holds them ───────────────────────────────────────────

// This acceptor takes part in no lower ballot from now on ("Paxos Made Simple", P1a).
struct Promised {
  Ballot ballot;
};
// This acceptor has accepted the value; it implies the promise of its ballot. A later record of the
// same slot replaces it.
struct Accepted {
  Slot slot;
  Ballot ballot;
  Value value;
};
// Every slot up to this one is chosen, each with the value that stands in its last record before
// this one. It may lag: what it does not tell is learned again.
struct ChosenMark {
  Slot through;
};

// Records that lacked in front of this one matter no more, and every slot up to `through` is chosen
// with the value that stands in its last record before this one. Which records lacked is for the
// log to say.
struct Repaired {
  Slot through;
};

using Record = std::variant<Promised, Accepted, ChosenMark, Repaired>;

// Counts the records that this life of the replica has written, from 1.
using RecordIndex = Strong<struct RecordIndexTag>;

// A whole snapshot of the state after a slot, as a replica keeps it.
struct SnapshotInfo {
  Slot through;
  std::uint64_t id = 0;     // of exactly these bytes
  std::uint64_t bytes = 0;  // how many

  bool operator==(const SnapshotInfo&) const = default;
};

// Reads chosen values that are no longer kept in memory. Implemented over the write-ahead log; it
// answers from what is durable or cached and blocks for a disk read at most.
class ChosenLog {
 public:
  virtual ~ChosenLog() = default;

  // The lowest slot from which on every one up to the chosen mark can be read. It rises when the
  // log is truncated below a snapshot.
  [[nodiscard]] virtual Slot first() const { return Slot(1); }

  // The last accepted value of a slot that is chosen here.
  // Precondition: `slot` is from first() to the chosen mark.
  [[nodiscard]] virtual AcceptedValue read(Slot slot) const = 0;
};

}  // namespace assent::paxos
