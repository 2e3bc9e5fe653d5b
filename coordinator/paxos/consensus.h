// One replica's part in Multi-Paxos: acceptor, learner and proposer, and the election of the one
// proposer that leads. PURE: inputs in, effects out; docs/paxos.md has the whole argument.
//
//              silence                  welcome from a quorum         promises from a quorum
//   Follower ───────────► Canvassing ─────────────────────► Candidate ──────────────────► Leader
//      ▲                      │                                 │                            │
//      └──────────────────────┴─────────────────────────────────┴────────────────────────────┘
//         a higher ballot, a leader heard, time over; for a leader also: no quorum, stalled disk
//
// consensus.cc: what comes in, and what acceptor and learner do with it. election.cc: becoming a
// leader. leading.cc: phase 2, catching up, reads. office.cc: staying a leader, and giving way.
// membership.cc: groups that change. recovering.cc: after lost records.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "coordinator/paxos/acceptor.h"
#include "coordinator/paxos/groups.h"
#include "coordinator/paxos/leader.h"
#include "coordinator/paxos/learner.h"
#include "coordinator/paxos/message.h"
#include "coordinator/paxos/outbox.h"
#include "coordinator/paxos/promises.h"
#include "coordinator/paxos/random.h"
#include "coordinator/paxos/record.h"
#include "coordinator/paxos/recovering.h"

namespace assent::paxos {

struct Options {
  ReplicaId self;
  Group group;  // the initial one, which governs from slot 1 on; of nobody: this replica joins
  std::uint64_t seed = 0;                    // of the election timeouts
  Incarnation incarnation = Incarnation(1);  // of the cluster (R15)
  Millis heartbeat_every{50};
  // A leader that was silent for this long, and up to twice, is succeeded. One that has not heard
  // of a quorum for this long steps down.
  Millis election_min{300};
  // A leader whose own log has not become durable for this long steps down.
  Millis disk_stall_max{1'000};
  std::size_t open_slots_max = 8;            // proposed and not chosen; at most kGroupDistance
  std::size_t accept_bytes_max = 1u << 20;   // of the values of one message, or one value
  std::size_t messages_in_flight_max = 32;   // of values, to one peer
  std::size_t recent_bytes_max = 48u << 20;  // of chosen values kept in memory
  std::size_t waiting_messages_max = 1'024;  // for the disk
  std::size_t reads_waiting_max = 16'384;
  // A replica whose chosen mark is this far behind a voter's is not welcome as a leader: it would
  // have to learn all of that before it could serve.
  std::uint64_t lag_max = 1'024;
};

// ── inputs ──────────────────────────────────────────────────────────────────────────────────────

struct Arrived {
  ReplicaId from;
  Message message;
};
// Every record up to this one is on stable storage.
struct Persisted {
  RecordIndex through;
};
// Proposes a value in the next slot. Precondition: can_propose().
struct Propose {
  Value value;
};
// Asks up to where a reader must have executed to see all that was acknowledged before it asked.
struct ReadAsked {
  ReadToken token;
};
// Hands the office over to this member. The office goes on here when it does not take it in time.
struct TransferAsked {
  ReplicaId to;
};
// The transport lost its connection to this member: only a hint, that it may be dead.
struct PeerLost {
  ReplicaId peer;
};
// This replica has a whole, durable snapshot to offer.
struct SnapshotKept {
  SnapshotInfo snapshot;
};
// The caller has taken in a whole, durable snapshot of a state that is further than the chosen
// mark. Ignored by a leader, and when the mark has passed it meanwhile: see chosen_through()
// afterwards.
struct SnapshotInstalled {
  Slot through;
  std::vector<GovernedFrom> groups{};  // of the slots behind it, in their order
};
// The caller has executed all chosen values up to this slot. Due after every step that tells of
// chosen values, before any other: the groups that govern later slots come of them.
struct Executed {
  Slot through;
  std::vector<GovernedFrom> changes{};  // of the group, in the order of their slots
};
// There is no room on the disk for more log than what was reserved, or there is again. Meanwhile
// this replica stands for no election, unless it is alone; what it promises and accepts goes on as
// long as the log takes it.
struct DiskShort {
  bool is_short = false;
};
// Time has passed; due at next_deadline().
struct Tick {};

using Input = std::variant<Arrived, Persisted, Propose, ReadAsked, TransferAsked, PeerLost,
                           SnapshotKept, SnapshotInstalled, Executed, DiskShort, Tick>;

// ── effects ─────────────────────────────────────────────────────────────────────────────────────

struct ChosenValue {
  Slot slot;
  Value value;
};
// Once the caller has executed up to `index`, what it reads is linearizable.
struct ReadReady {
  ReadToken token;
  Slot index;
};

// This replica lacks values that its leader no longer keeps.
struct SnapshotOffered {
  ReplicaId from;
  SnapshotInfo snapshot;
};

// Carried out in the order of the fields. Messages may go before the records are durable: those
// that must not are kept back here until Persisted comes (R2).
struct Effects {
  std::vector<Record> persist;  // append in this order; each comes back in a Persisted
  std::vector<Envelope> send;
  std::vector<ChosenValue> chosen;  // execute in this order
  std::vector<ReadReady> reads;
  std::vector<ReadToken> reads_lost;       // asked of a leader that is none any more, or too many
  std::optional<SnapshotOffered> offered;  // the last one
  bool recovered = false;  // what the log has lost matters no more, from this mark on
};

// ── roles ───────────────────────────────────────────────────────────────────────────────────────

// Follows the leader it hears, or nobody yet. Left at the deadline, for Canvassing.
struct Follower {
  std::optional<ReplicaId> leader;
  MonoTime heard_at;  // last word of that leader
  MonoTime election_at;
};

// Asks whether its candidacy is welcome. Left for Candidate when a quorum says so, for Follower
// when a leader is heard; begins anew at the deadline.
struct Canvassing {
  Ballot ballot;  // that it would take
  std::set<ReplicaId> welcomed_by;
  MonoTime again_at;
};

// Phase 1. Left for Leader with the whole promises of a quorum, its own included; for Follower when
// a higher ballot is heard or at the deadline.
struct Candidate {
  Ballot ballot;
  Slot from;  // first slot of phase 1
  Promises promises;
  std::map<ReplicaId, Slot> chosen_at;  // chosen marks of those that answered
  MonoTime gives_up_at;
  MonoTime resend_at;
};

class Consensus {
 public:
  // `log` outlives this. Restore first, then start, then step.
  Consensus(Options options, const ChosenLog& log);

  // Takes in a record of an earlier life, in the order of the log. Answers what it shows to be
  // chosen, to be executed.
  std::vector<ChosenValue> restore(const Record& record);
  // What was answered last has been executed.
  void restore(const Executed& executed);
  // In its place among the records: here some lack that were durable. From now on this acceptor is
  // recovering, unless a Repaired that covers them follows: one that does not is not restored.
  // Precondition: a record with a ballot follows; the group has other members, or it never gets
  // over it.
  void restore_lost_records();
  // Before any record: a snapshot of the state after this slot was loaded.
  void restore_snapshot(const SnapshotInstalled& snapshot);
  // Ballots that this replica takes from now on are of this incarnation at least (R15).
  void begin_incarnation(Incarnation incarnation) {
    incarnation_ = std::max(incarnation_, incarnation);
  }
  void start(MonoTime now);

  Effects step(MonoTime now, const Input& input);

  // When the next Tick is due.
  [[nodiscard]] MonoTime next_deadline() const;

  // The ballot under which this replica leads: set from the end of phase 1. None: it does not.
  [[nodiscard]] std::optional<Ballot> leading() const;
  // A value may be proposed now: it leads, hands nothing over, a slot is free, and enough of the
  // group that governs it have promised.
  [[nodiscard]] bool can_propose() const;
  // The leader as far as known here; itself when it leads.
  [[nodiscard]] std::optional<ReplicaId> leader() const;
  // The highest ballot known here.
  [[nodiscard]] Ballot highest_ballot() const;
  [[nodiscard]] Slot chosen_through() const { return learner_.chosen_through(); }
  // The last slot that this leader proposed in. Precondition: it leads.
  [[nodiscard]] Slot last_proposed() const;
  [[nodiscard]] std::string_view role_name() const;
  // It has lost records, and is not whole again: it promises nothing and does not stand.
  [[nodiscard]] bool recovering() const { return recovering_.has_value(); }
  // Elections that this life has begun, and won.
  [[nodiscard]] std::uint64_t candidacies() const { return candidacies_; }
  [[nodiscard]] std::uint64_t elections_won() const { return elections_won_; }
  [[nodiscard]] const Groups& groups() const { return groups_; }
  // The group that governs the next slot to be chosen.
  [[nodiscard]] const Group& group() const { return groups_.at(chosen_through().next()); }
  // As this leader last heard, every slot up to this one is executed, and the groups that came of
  // it durably known, at a quorum of the present group. Those who left it are needed no more.
  [[nodiscard]] bool known_to_quorum(Slot slot) const;
  // Chosen marks as this leader last heard of them; empty when it does not lead.
  [[nodiscard]] std::map<ReplicaId, Slot> peers_chosen() const;

  // Aborts the process when an invariant is broken. Cost: linear in what is not chosen.
  void check_invariants() const;

 private:
  struct Turn {
    MonoTime now;
    Effects effects;
  };

  // consensus.cc
  void on(Turn& turn, const Arrived& arrived);
  void on(Turn& turn, const Persisted& persisted);
  void on(Turn& turn, const Propose& propose);
  void on(Turn& turn, const ReadAsked& asked);
  void on(Turn& turn, const TransferAsked& asked);
  void on(Turn& turn, const PeerLost& lost);
  void on(Turn& turn, const SnapshotKept& kept);
  void on(Turn& turn, const SnapshotInstalled& installed);
  void on(Turn& turn, const DiskShort& disk);
  void on(Turn& turn, const Executed& executed);
  void on(Turn& turn, const Tick& tick);
  void on(Turn& turn, ReplicaId from, const PreVote& question);
  void on(Turn& turn, ReplicaId from, const PreVoteAnswer& answer);
  void on(Turn& turn, ReplicaId from, const Prepare& prepare);
  void on(Turn& turn, ReplicaId from, const Promise& promise);
  void on(Turn& turn, ReplicaId from, const Accept& accept);
  void on(Turn& turn, ReplicaId from, const AcceptedThrough& accepted);
  void on(Turn& turn, ReplicaId from, const Refused& refused);
  void on(Turn& turn, ReplicaId from, const TakeOver& order);
  void on(Turn& turn, ReplicaId from, const SnapshotOffer& offer);
  void on(Turn& turn, ReplicaId from, const RecoveryAsk& ask);
  void on(Turn& turn, ReplicaId from, const RecoveryAnswer& answer);
  RecordIndex write(Turn& turn, Record record);
  void send_durable(Turn& turn, ReplicaId to, Message message);
  void send_now(Turn& turn, ReplicaId to, Message message);
  void raise_promise(Turn& turn, const Ballot& ballot);
  void learn(Turn& turn, Slot through);
  [[nodiscard]] Slot trusted(const ChosenMark& mark) const;
  void refuse(Turn& turn, ReplicaId from, const Ballot& ballot);
  [[nodiscard]] Promise promise_part(const Prepare& prepare) const;
  [[nodiscard]] bool is_sign_of_life(const Accept& accept);
  void accept_values(Turn& turn, const Accept& accept);
  void see(const Ballot& ballot);

  void let_go(Turn& turn, std::vector<Envelope> envelopes);

  // recovering.cc
  void begin_recovering();
  void maybe_ask_to_recover(Turn& turn, ReplicaId leader, const Ballot& ballot);
  void answer_recovery(Turn& turn, const Leader& leader, ReplicaId to, std::uint64_t nonce);
  void maybe_become_whole(Turn& turn);
  void write_repaired(Turn& turn);

  // election.cc
  void become_follower(Turn& turn, std::optional<ReplicaId> leader);
  void become_canvassing(Turn& turn);
  void become_candidate(Turn& turn);
  void become_leader(Turn& turn);
  [[nodiscard]] bool stands_aside() const;
  void maybe_stand(Turn& turn);
  void maybe_lead(Turn& turn);
  void take_part(Turn& turn, ReplicaId from, const Promise& promise);
  void ask_promises(Turn& turn);
  [[nodiscard]] bool welcome(MonoTime now, ReplicaId asker, const PreVote& question) const;
  [[nodiscard]] bool can_tell(Slot from) const;
  [[nodiscard]] bool hears_leader(MonoTime now) const;
  [[nodiscard]] Ballot next_ballot() const;
  [[nodiscard]] Millis random_timeout();

  // membership.cc
  void take_in(const Executed& executed);
  void write_mark(Turn& turn);
  void meet_peers(Turn& turn, Leader& leader);
  void part_with_peers(Turn& turn, Leader& leader);
  void ask_promises(Turn& turn, Leader& leader);
  void take_part(Turn& turn, Leader& leader, ReplicaId from, const Promise& promise);
  void complete_own_promise(Leader& leader);
  void propose_reported(Turn& turn, Leader& leader);
  void maybe_leave(Turn& turn);
  [[nodiscard]] bool may_stand(ReplicaId asker, Slot chosen) const;
  [[nodiscard]] bool is_heard(MonoTime now, ReplicaId from) const;
  [[nodiscard]] bool knows_group(Slot slot) const;
  [[nodiscard]] bool has_promises(const Leader& leader, Slot slot) const;
  [[nodiscard]] bool may_propose(const Leader& leader, Slot slot) const;
  [[nodiscard]] bool is_in_group(ReplicaId replica) const;

  // leading.cc
  void propose(Turn& turn, Leader& leader, Slot slot, const Value& value);
  void pump(Turn& turn, Leader& leader);
  void send_values(Turn& turn, Leader& leader, ReplicaId to, Peer& peer);
  [[nodiscard]] Accept next_values(const Leader& leader, const Peer& peer) const;
  void send_heartbeats(Turn& turn, Leader& leader);
  void offer_snapshots(Turn& turn, const Leader& leader);
  void count_own(Turn& turn, Leader& leader);
  void take_progress(Turn& turn, Peer& peer, const AcceptedThrough& accepted, Slot last);
  void advance_chosen(Turn& turn, Leader& leader);
  void answer_reads(Turn& turn, Leader& leader);

  // office.cc
  void maybe_hand_over(Turn& turn, Leader& leader);
  void keep_office(Turn& turn, Leader& leader);
  void yield_office(Turn& turn, Leader& leader);
  [[nodiscard]] bool may_succeed(ReplicaId replica) const;
  [[nodiscard]] bool disk_stalled(MonoTime now, const Leader& leader) const;
  [[nodiscard]] bool hears_quorum(MonoTime now, const Leader& leader) const;

  const Options options_;
  Groups groups_;
  // The chosen mark as of which the groups are known: up to executed_ + kGroupDistance.
  Slot executed_;
  Acceptor acceptor_;
  Learner learner_;
  Outbox outbox_;
  Incarnation incarnation_;  // of the ballots that it takes, at least
  Random random_;
  std::variant<Follower, Canvassing, Candidate, Leader> role_;
  // The highest ballot heard of anywhere. Need not be durable: a ballot of one's own is, before it
  // is used.
  Ballot highest_;
  // The leader that was heard last, and the latest of its probes.
  Ballot heard_ballot_;
  Probe heard_probe_;
  Ballot asked_about_;  // in the last question whether a candidacy is welcome
  // The mark is written with the next record that must be: alone it would cost a flush.
  bool mark_unwritten_ = false;
  RecordIndex groups_written_;  // the record that made the latest change of the group known here
  std::optional<SnapshotInfo> snapshot_;  // the latest that can be offered
  bool disk_short_ = false;
  std::optional<Recovering> recovering_;  // records were lost
  std::uint64_t candidacies_ = 0;
  std::uint64_t elections_won_ = 0;
};

}  // namespace assent::paxos
