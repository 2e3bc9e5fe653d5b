// What a leader knows: of each member's progress, of the reads that wait, of a handover.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <utility>

#include "base/ids.h"
#include "base/time.h"
#include "coordinator/paxos/message.h"
#include "coordinator/paxos/promises.h"

namespace assent::paxos {

// Names a read that waits; issued by the caller, never reused.
using ReadToken = Strong<struct ReadTokenTag>;

// A member or learner as its leader knows it; the leader itself is one, and counts what is durable
// here.
struct Peer {
  bool known = false;  // it has told how far it is: values are sent from there on
  // P2b, cumulative. Within a ballot it goes back only when the member has lost records, and asks
  // (RecoveryAsk).
  Slot accepted_through;
  Slot chosen_through;         // its mark
  Slot sent_through;           // values up to here were sent
  std::deque<Slot> in_flight;  // last slots of the messages that were sent and not yet accepted
  Probe sent_probe;            // the probe of the last message with values
  Probe probe;                 // the latest it has answered
  MonoTime heard_at;           // when that answer came
};

// A read that waits for a quorum to answer a probe that was sent after it came.
struct PendingRead {
  ReadToken token;
  Probe probe;
};

// Left when a higher ballot is heard, when a quorum is not heard any more, when the own disk
// stalls, or when a group governs that this replica is not in.
struct Leader {
  Ballot ballot;
  Slot last;  // proposed in
  // Phase 1 goes on: of replicas that come to be members, and for slots whose group is not known.
  Promises promises;
  // Everyone in a group that governs a slot which is not chosen, this replica too; and who left,
  // until it has been told.
  std::map<ReplicaId, Peer> peers;
  Probe probe;                    // of the latest heartbeats
  std::deque<PendingRead> reads;  // in the order of their probes
  MonoTime heartbeat_at;
  // The leader's own acceptances that are not durable yet, in slot order, and since when the log
  // has not grown while there are any.
  std::deque<std::pair<RecordIndex, Slot>> own_writing;
  MonoTime own_stalled_since;
  struct Handover {
    ReplicaId to;
    MonoTime until;
    bool ordered = false;  // TakeOver was sent
  };
  std::optional<Handover> handover;
};

}  // namespace assent::paxos
