// What replicas say to each other. Messages may be lost, duplicated, delayed and reordered: each
// says only what stays true, or carries the ballot by which a late one is known.
#pragma once

#include <cstdint>
#include <string_view>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "coordinator/paxos/record.h"

namespace assent::paxos {

// Number of a round of heartbeats within a leader's term; an answer to it was given after it was
// sent, which is what read-index rests on.
using Probe = Strong<struct ProbeTag>;

// Asks whether a candidacy would be welcome; changes nothing anywhere. Keeps a replica that comes
// back from disturbing a leader at work ("Paxos Made Live", section 5; Raft's pre-vote).
struct PreVote {
  Ballot ballot;        // that the asker would take
  Slot chosen_through;  // the asker's chosen mark
};
struct PreVoteAnswer {
  Ballot ballot;  // of the question
  bool welcome = false;
  Ballot promised;  // the highest ballot the answerer knows of
};

// Phase 1a, once for all slots from `from` on ("Paxos Made Simple", section 3).
struct Prepare {
  Ballot ballot;
  Slot from;
};

struct PromisedSlot {
  Slot slot;
  AcceptedValue accepted;
};

// Phase 1b. What this acceptor has accepted in the slots from `from` to before `next`, or from
// `from` on when `next` is 0; a long answer comes in parts, each asked for by a Prepare.
struct Promise {
  Ballot ballot;
  Slot from;
  Slot next;  // where the next part begins; 0: this is the last
  std::vector<PromisedSlot> accepted;
  Slot chosen_through;
};

// Phase 2a of consecutive slots, and the leader's heartbeat when it brings no values. It also tells
// what is chosen: every slot up to `chosen_through`, with the leader's values.
struct Accept {
  Ballot ballot;
  Slot first;  // of values; meaningless without any
  std::vector<Value> values;
  Slot chosen_through;
  Probe probe;
};

// Phase 2b, cumulative: every slot up to `through` is known chosen here, or accepted here at
// exactly `ballot`, durably. Late or repeated, it stays true.
struct AcceptedThrough {
  Ballot ballot;
  Slot through;
  // This replica's chosen mark, executed; the groups up to it are durable here.
  Slot chosen_through;
  Probe probe;  // of the Accept that it answers
};

// A Prepare or an Accept came below the promise ("Paxos Made Moderately Complex", preemption).
struct Refused {
  Ballot ballot;    // of the request
  Ballot promised;  // of the acceptor
};

// The leader of `ballot` asks the receiver to take over at once.
struct TakeOver {
  Ballot ballot;
};

// The leader of `ballot` no longer keeps the values that the receiver lacks; this snapshot has what
// they led to ("Paxos Made Live", section 5.5).
struct SnapshotOffer {
  Ballot ballot;
  SnapshotInfo snapshot;
};

// The sender has lost records of its log, and follows the leader of `ballot`: how far has that
// ballot gone? What is accepted here at exactly that ballot, or known chosen, goes up to `through`
// only, whatever an earlier life told.
struct RecoveryAsk {
  Ballot ballot;
  std::uint64_t nonce = 0;  // drawn in this life of the sender
  Slot through;
};
// When it was asked with this nonce, the leader of `ballot` had proposed in no slot above `last`,
// and no promise had reported one. Its phase 1 was whole for the group of every slot from there up
// to `governed_through`.
struct RecoveryAnswer {
  Ballot ballot;
  std::uint64_t nonce = 0;  // of the question
  Slot last;
  Slot governed_through;
};

using Message = std::variant<PreVote, PreVoteAnswer, Prepare, Promise, Accept, AcceptedThrough,
                             Refused, TakeOver, SnapshotOffer, RecoveryAsk, RecoveryAnswer>;

std::string_view name(const Message& message);

struct Envelope {
  ReplicaId to;
  Message message;
};

}  // namespace assent::paxos
