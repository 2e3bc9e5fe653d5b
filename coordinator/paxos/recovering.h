// An acceptor that lost records of its log, and what it needs to know before it is whole again
// (Liskov, Cowling, "Viewstamped Replication Revisited", 4.3, has the like for a whole lost disk).
// docs/paxos.md, "Lost records", has the argument.
#pragma once

#include <cstdint>
#include <optional>

#include "base/ids.h"

namespace assent::paxos {

// It gives no promise and does not stand for leader, for what it would report may lack what it
// accepted. It accepts, for it knows a bound of all that it promised. Left when the bound
// is executed.
struct Recovering {
  // Drawn in this life: what answers it was said after this life began.
  std::uint64_t nonce = 0;
  // No lost record is of a higher ballot.
  Ballot promised;
  // No lost acceptance above `through` is of a value that was or will be chosen, if the groups of
  // the slots behind it are those of up to `governed_through`. None: not known.
  struct Bound {
    Slot through;
    Slot governed_through;
  };
  std::optional<Bound> bound;
};

}  // namespace assent::paxos
