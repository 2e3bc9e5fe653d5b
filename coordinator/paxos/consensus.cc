#include "coordinator/paxos/consensus.h"

#include <algorithm>
#include <utility>

#include "base/canary.h"
#include "base/check.h"
#include "base/overloaded.h"

namespace assent::paxos {
namespace {

// Of a slot in a Promise, beside its value.
constexpr std::size_t kPromisedSlotBytes = 64;

}  // namespace

std::string_view name(const Message& message) {
  return std::visit(Overloaded{
                        [](const PreVote&) { return "PreVote"; },
                        [](const PreVoteAnswer&) { return "PreVoteAnswer"; },
                        [](const Prepare&) { return "Prepare"; },
                        [](const Promise&) { return "Promise"; },
                        [](const Accept&) { return "Accept"; },
                        [](const AcceptedThrough&) { return "AcceptedThrough"; },
                        [](const Refused&) { return "Refused"; },
                        [](const TakeOver&) { return "TakeOver"; },
                        [](const SnapshotOffer&) { return "SnapshotOffer"; },
                        [](const RecoveryAsk&) { return "RecoveryAsk"; },
                        [](const RecoveryAnswer&) { return "RecoveryAnswer"; },
                    },
                    message);
}

Consensus::Consensus(Options options, const ChosenLog& log)
    : options_(std::move(options)),
      groups_(options_.group),
      learner_(log, options_.recent_bytes_max),
      outbox_(options_.waiting_messages_max),
      incarnation_(options_.incarnation),
      random_(options_.seed) {
  CHECK_LE(options_.open_slots_max, kGroupDistance, "the group of every open slot is known");
}

std::vector<ChosenValue> Consensus::restore(const Record& record) {
  Turn turn{};
  std::visit(
      Overloaded{
          [&](const Promised& promised) { acceptor_.promise(promised.ballot); },
          [&](const Accepted& accepted) {
            acceptor_.promise(accepted.ballot);
            if (accepted.slot <= learner_.chosen_through()) return;
            const bool taken = acceptor_.accept(accepted.slot, {accepted.ballot, accepted.value});
            CHECK(taken, "records are restored in the order in which they were written");
          },
          [&](const ChosenMark& mark) { learn(turn, trusted(mark)); },
          [&](const Repaired& repaired) {
            recovering_.reset();
            learn(turn, repaired.through);
          },
      },
      record);
  see(acceptor_.promised());
  mark_unwritten_ = false;
  return std::move(turn.effects.chosen);
}

void Consensus::restore(const Executed& executed) {
  take_in(executed);
}

// Behind lost records none is: one of them may have replaced what stands in front of them.
Slot Consensus::trusted(const ChosenMark& mark) const {
  if (!recovering_) return mark.through;
  Slot held = learner_.chosen_through();
  while (canary(Canary::kMarkBehindDamage) && held < mark.through && acceptor_.find(held.next())) {
    held = held.next();
  }
  return held;
}

void Consensus::restore_snapshot(const SnapshotInstalled& snapshot) {
  learner_.restore(snapshot.through);
  take_in({snapshot.through, snapshot.groups});
}

// Nobody is heard yet, so nobody is disturbed by a candidacy that begins early.
void Consensus::start(MonoTime now) {
  begin_recovering();
  const bool alone = group().members().size() == 1;
  const std::uint64_t spread = alone ? 1 : static_cast<std::uint64_t>(options_.election_min.value);
  const Millis wait(static_cast<std::int64_t>(random_.below(spread)));
  role_ = Follower{std::nullopt, now, now + wait};
}

Effects Consensus::step(MonoTime now, const Input& input) {
  Turn turn{now, {}};
  std::visit([&](const auto& one) { on(turn, one); }, input);
  return std::move(turn.effects);
}

// ── what comes in ───────────────────────────────────────────────────────────────────────────────

void Consensus::on(Turn& turn, const Arrived& arrived) {
  if (arrived.from == options_.self || !is_heard(turn.now, arrived.from)) return;
  std::visit([&](const auto& message) { on(turn, arrived.from, message); }, arrived.message);
}

void Consensus::on(Turn& turn, const Persisted& persisted) {
  std::vector<Envelope> released;
  outbox_.persisted(persisted.through, released);
  let_go(turn, std::move(released));
  if (auto* leader = std::get_if<Leader>(&role_)) count_own(turn, *leader);
}

void Consensus::on(Turn& turn, const Propose& propose) {
  CHECK(can_propose(), "only a leader with a free slot proposes");
  auto& leader = std::get<Leader>(role_);
  this->propose(turn, leader, leader.last.next(), propose.value);
  pump(turn, leader);
}

void Consensus::on(Turn& turn, const PeerLost& lost) {
  if (auto* leader = std::get_if<Leader>(&role_)) {
    const auto found = leader->peers.find(lost.peer);
    // What was on its way may be lost: it tells anew how far it is before more is sent.
    if (found != leader->peers.end() && lost.peer != options_.self) found->second.known = false;
    return;
  }
  auto* follower = std::get_if<Follower>(&role_);
  if (follower == nullptr || follower->leader != lost.peer) return;
  follower->leader.reset();
  const Millis soon(static_cast<std::int64_t>(
      random_.below(static_cast<std::uint64_t>(options_.election_min.value) / 4 + 1)));
  follower->election_at = std::min(follower->election_at, turn.now + soon);
}

void Consensus::on(Turn& /*turn*/, const SnapshotKept& kept) {
  snapshot_ = kept.snapshot;
}

// A snapshot says only what is chosen: promises, and what was accepted above it, stay as they are.
// The mark need not be written, for the snapshot itself says it.
//
// A snapshot may say what was chosen under a higher ballot than was promised here. To tell the
// leader of a lower ballot b that its slots are settled (AcceptedThrough) misleads nobody:
// 1. Let s be chosen with w under c > b, c being the lowest such ballot, while the leader of b has
//    v in s; and let a quorum tell that leader that it is through s. One of them, M, is among those
//    whose promises made the leader of c. It told that before it promised c.
// 2. M knew then that s was chosen? Under c it was chosen after M's promise, so no.
// 3. So M had accepted v under b and reported it to the leader of c, or what a leader between b and
//    c proposed, which by the same argument is v: w is v (P2c).
void Consensus::on(Turn& turn, const SnapshotInstalled& installed) {
  if (installed.through <= learner_.chosen_through()) return;
  if (std::holds_alternative<Leader>(role_)) return;
  // Phase 1 asked from a slot that is settled now.
  if (std::holds_alternative<Candidate>(role_)) become_follower(turn, std::nullopt);
  acceptor_.settle_through(installed.through);
  learner_.skip_to(installed.through);
  take_in({installed.through, installed.groups});
  maybe_become_whole(turn);
}

void Consensus::on(Turn& /*turn*/, const DiskShort& disk) {
  disk_short_ = disk.is_short;
}

void Consensus::on(Turn& turn, const Tick& /*tick*/) {
  if (auto* leader = std::get_if<Leader>(&role_)) return keep_office(turn, *leader);
  if (turn.now < next_deadline()) return;
  if (auto* candidate = std::get_if<Candidate>(&role_)) {
    if (turn.now < candidate->gives_up_at) return ask_promises(turn);
  }
  if (stands_aside()) return become_follower(turn, std::nullopt);
  become_canvassing(turn);
}

// ── the acceptor ────────────────────────────────────────────────────────────────────────────────

// Phase 1b ("Paxos Made Simple", section 2.2): no proposal below this ballot is accepted from now
// on, and what was accepted is told. The promise is durable before the answer leaves (R2).
void Consensus::on(Turn& turn, ReplicaId from, const Prepare& prepare) {
  see(prepare.ballot);
  // What it would report may lack what it accepted.
  if (recovering_ && !canary(Canary::kPromiseWhileRecovering)) return;
  if (prepare.ballot < acceptor_.promised()) return refuse(turn, from, prepare.ballot);
  // What was chosen in a slot that is no longer kept cannot be reported. To promise and to hide it
  // would let the candidate propose another value (P2c): so no promise. Others may give theirs.
  if (!can_tell(prepare.from)) return;
  if (acceptor_.promised() < prepare.ballot) {
    raise_promise(turn, prepare.ballot);
    become_follower(turn, std::nullopt);
  }
  send_durable(turn, from, promise_part(prepare));
}

// What is chosen here is reported like everything accepted, with the ballot under which it was
// accepted: that is no lower than the ballot under which it was chosen, so no reported value of a
// higher ballot can be another one.
Promise Consensus::promise_part(const Prepare& prepare) const {
  Promise out{prepare.ballot, prepare.from, Slot(), {}, learner_.chosen_through()};
  if (canary(Canary::kPromiseWithoutAccepted)) return out;
  std::size_t bytes = 0;
  const auto add = [&](Slot slot, const AcceptedValue& accepted) {
    bytes += kPromisedSlotBytes + accepted.value->size();
    if (bytes > options_.accept_bytes_max && !out.accepted.empty()) {
      out.next = slot;
      return false;
    }
    out.accepted.push_back({slot, accepted});
    return true;
  };
  Slot slot = prepare.from;
  if (canary(Canary::kPromiseDespiteTruncation)) slot = std::max(slot, learner_.first());
  for (; slot <= learner_.chosen_through(); slot = slot.next()) {
    if (!add(slot, learner_.read(slot))) return out;
  }
  const auto& accepted = acceptor_.accepted();
  for (auto at = accepted.lower_bound(prepare.from); at != accepted.end(); ++at) {
    if (!add(at->first, at->second)) return out;
  }
  return out;
}

// Phase 2b. The answer waits until everything that it says is durable (R2).
void Consensus::on(Turn& turn, ReplicaId from, const Accept& accept) {
  see(accept.ballot);
  if (accept.ballot < acceptor_.promised() && !canary(Canary::kAcceptBelowPromise)) {
    return refuse(turn, from, accept.ballot);
  }
  if (acceptor_.promised() < accept.ballot) raise_promise(turn, accept.ballot);
  if (is_sign_of_life(accept)) {
    become_follower(turn, from);
    maybe_ask_to_recover(turn, from, accept.ballot);
  }
  accept_values(turn, accept);
  const Slot through = acceptor_.contiguous_through(learner_.chosen_through(), accept.ballot);
  send_durable(turn, from, AcceptedThrough{accept.ballot, through, executed_, accept.probe});
}

// A leader's probes rise with its heartbeats. An Accept under no later probe than was heard may
// have been on its way for long, and its sender be dead: its values count, but no election waits
// for it.
bool Consensus::is_sign_of_life(const Accept& accept) {
  const bool later = heard_ballot_ != accept.ballot || heard_probe_ < accept.probe;
  heard_probe_ = later ? accept.probe : heard_probe_;
  heard_ballot_ = accept.ballot;
  return later;
}

// What the leader of this ballot says is chosen is chosen with the leader's values. So a slot may
// be marked here iff it holds a value of exactly this ballot: one of an earlier ballot may be
// another value, which nobody chose ("Paxos Made Live", section 4.2, catches up for the same
// reason).
void Consensus::accept_values(Turn& turn, const Accept& accept) {
  Slot slot = accept.first;
  for (const Value& value : accept.values) {
    if (learner_.chosen_through() < slot && !acceptor_.has(slot, accept.ballot)) {
      acceptor_.accept(slot, {accept.ballot, value});
      write(turn, Accepted{slot, accept.ballot, value});
    }
    slot = slot.next();
  }
  const Slot chosen = learner_.chosen_through();
  Slot held = acceptor_.contiguous_through(chosen, accept.ballot);
  if (canary(Canary::kChosenOverOtherBallot)) {
    held = chosen;
    while (acceptor_.find(held.next()) != nullptr) held = held.next();
  }
  learn(turn, std::min(accept.chosen_through, held));
}

void Consensus::raise_promise(Turn& turn, const Ballot& ballot) {
  acceptor_.promise(ballot);
  if (!canary(Canary::kForgottenPromise)) write(turn, Promised{ballot});
}

void Consensus::refuse(Turn& turn, ReplicaId from, const Ballot& ballot) {
  send_durable(turn, from, Refused{ballot, acceptor_.promised()});
}

// Not a word of consensus: the ballot only tells a leader's offer from an old one's.
void Consensus::on(Turn& turn, ReplicaId from, const SnapshotOffer& offer) {
  see(offer.ballot);
  if (offer.ballot < acceptor_.promised()) return refuse(turn, from, offer.ballot);
  if (learner_.chosen_through() < offer.snapshot.through) {
    turn.effects.offered = SnapshotOffered{from, offer.snapshot};
  }
}

// ── the learner ─────────────────────────────────────────────────────────────────────────────────

// Slots are learned strictly in order, and never unlearned.
void Consensus::learn(Turn& turn, Slot through) {
  while (learner_.chosen_through() < through) {
    const Slot slot = learner_.chosen_through().next();
    AcceptedValue chosen = acceptor_.settle(slot);
    turn.effects.chosen.push_back({slot, chosen.value});
    learner_.learn(std::move(chosen));
    mark_unwritten_ = true;
  }
}

// ── what goes out ───────────────────────────────────────────────────────────────────────────────

RecordIndex Consensus::write(Turn& turn, Record record) {
  if (std::exchange(mark_unwritten_, false)) {
    turn.effects.persist.emplace_back(ChosenMark{learner_.chosen_through()});
    outbox_.written();
  }
  turn.effects.persist.push_back(std::move(record));
  return outbox_.written();
}

void Consensus::send_durable(Turn& turn, ReplicaId to, Message message) {
  if (disk_short_ && canary(Canary::kFullDiskVotes)) return send_now(turn, to, std::move(message));
  std::vector<Envelope> out;
  outbox_.send({to, std::move(message)}, out);
  let_go(turn, std::move(out));
}

void Consensus::send_now(Turn& turn, ReplicaId to, Message message) {
  turn.effects.send.push_back({to, std::move(message)});
}

// Only a candidate writes to itself: its own promise counts like any other's, when it is durable.
void Consensus::let_go(Turn& turn, std::vector<Envelope> envelopes) {
  for (Envelope& envelope : envelopes) {
    if (envelope.to != options_.self) {
      turn.effects.send.push_back(std::move(envelope));
    } else if (const auto* promise = std::get_if<Promise>(&envelope.message)) {
      on(turn, options_.self, *promise);
    }
  }
}

void Consensus::see(const Ballot& ballot) {
  highest_ = std::max(highest_, ballot);
}

// ── queries ─────────────────────────────────────────────────────────────────────────────────────

MonoTime Consensus::next_deadline() const {
  return std::visit(
      Overloaded{
          [](const Follower& role) { return role.election_at; },
          [](const Canvassing& role) { return role.again_at; },
          [](const Candidate& role) { return std::min(role.gives_up_at, role.resend_at); },
          [](const Leader& role) { return role.heartbeat_at; },
      },
      role_);
}

std::optional<Ballot> Consensus::leading() const {
  const auto* leader = std::get_if<Leader>(&role_);
  return leader == nullptr ? std::nullopt : std::optional(leader->ballot);
}

bool Consensus::can_propose() const {
  const auto* leader = std::get_if<Leader>(&role_);
  return leader != nullptr && !leader->handover && leader->promises.reported().empty() &&
         may_propose(*leader, leader->last.next());
}

std::optional<ReplicaId> Consensus::leader() const {
  if (std::holds_alternative<Leader>(role_)) return options_.self;
  const auto* follower = std::get_if<Follower>(&role_);
  return follower == nullptr ? std::nullopt : follower->leader;
}

Ballot Consensus::highest_ballot() const {
  return std::max(highest_, acceptor_.promised());
}

Slot Consensus::last_proposed() const {
  return std::get<Leader>(role_).last;
}

std::string_view Consensus::role_name() const {
  return std::visit(Overloaded{
                        [](const Follower&) { return "follower"; },
                        [](const Canvassing&) { return "canvassing"; },
                        [](const Candidate&) { return "candidate"; },
                        [](const Leader&) { return "leader"; },
                    },
                    role_);
}

std::map<ReplicaId, Slot> Consensus::peers_chosen() const {
  std::map<ReplicaId, Slot> out;
  if (const auto* leader = std::get_if<Leader>(&role_)) {
    for (const auto& [id, peer] : leader->peers) out[id] = peer.chosen_through;
  }
  return out;
}

void Consensus::check_invariants() const {
  const Slot chosen = learner_.chosen_through();
  acceptor_.check_invariants(chosen);
  CHECK_LE(acceptor_.promised(), highest_, "what was promised was seen");
  CHECK_EQ(executed_, chosen, "what is chosen is executed before anything else happens");
  if (const auto* candidate = std::get_if<Candidate>(&role_)) {
    CHECK_EQ(candidate->ballot, acceptor_.promised(), "a candidate promised its own ballot");
    CHECK_EQ(candidate->from, chosen.next(), "a candidate learns nothing");
  }
  const auto* leader = std::get_if<Leader>(&role_);
  if (leader == nullptr) return;
  CHECK_EQ(leader->ballot.replica, options_.self, "a ballot belongs to one replica");
  if (!canary(Canary::kAcceptBelowPromise)) {
    CHECK_EQ(leader->ballot, acceptor_.promised(), "a leader promised its own ballot");
  }
  CHECK_LE(chosen, leader->last, "a leader proposed all that it knows chosen");
  CHECK_LE(leader->last.value, executed_.value + kGroupDistance,
           "a leader proposes where it knows the group");
  for (const auto& [id, peer] : leader->peers) {
    CHECK_LE(peer.accepted_through, leader->last, "nobody accepts what was not proposed");
    CHECK_LE(peer.in_flight.size(), options_.messages_in_flight_max, "queues are bounded");
  }
  CHECK_LE(leader->reads.size(), options_.reads_waiting_max, "queues are bounded");
}

}  // namespace assent::paxos
