// A replica that lacks what its leader no longer keeps fetches a snapshot, part by part. PURE:
// which snapshot, from whom, and what to ask for next. docs/adr/0007 has the design.
#pragma once

#include <cstdint>
#include <optional>

#include "base/ids.h"
#include "coordinator/paxos/consensus.h"
#include "coordinator/paxos/record.h"

namespace assent::replica {

// Asks `of` for the bytes of a snapshot's content from `offset` on.
struct PartAsked {
  ReplicaId of;
  paxos::SnapshotInfo snapshot;
  std::uint64_t offset = 0;

  bool operator==(const PartAsked&) const = default;
};

// Offers come again with every heartbeat: they are the clock of this. What failed is tried again
// when the next one comes.
class SnapshotFetch {
 public:
  // Takes an offer in. True: this snapshot is to be fetched from now on, instead of any other; say
  // with begin() how much of it is here.
  //
  // Another snapshot than the one that is being fetched takes its place only when that one is not
  // given any more: were every newer one better, a leader that writes snapshots faster than they
  // are sent would be followed for ever. A leader keeps the log behind both snapshots that it
  // keeps, so the older one leads on as well.
  [[nodiscard]] bool take(const paxos::SnapshotOffered& offer, Slot executed);
  void begin(const paxos::SnapshotOffered& offer, std::uint64_t have);

  // What to ask for now: nothing while an answer is awaited, or the next offer. Counts as asked.
  [[nodiscard]] std::optional<PartAsked> ask();

  // The answer to what was asked last: so many bytes; or none, and the next offer decides.
  // False: nobody waits for it any more.
  [[nodiscard]] bool answered(const PartAsked& asked, std::uint64_t bytes);
  void failed(const PartAsked& asked);

  // All bytes are here; nothing more is asked for.
  [[nodiscard]] bool whole() const {
    return current_ && current_->have == current_->snapshot.bytes;
  }
  // The snapshot that is being fetched.
  [[nodiscard]] std::optional<paxos::SnapshotInfo> snapshot() const;
  // Of its bytes, how many are here.
  [[nodiscard]] std::uint64_t have() const { return current_ ? current_->have : 0; }

  // It has been taken in, or given up.
  void end() { current_.reset(); }

 private:
  struct Current {
    ReplicaId from;
    paxos::SnapshotInfo snapshot;
    std::uint64_t have = 0;
    bool asked = false;    // an answer is awaited
    bool refused = false;  // the last answer had no bytes
  };

  std::optional<Current> current_;
};

}  // namespace assent::replica
