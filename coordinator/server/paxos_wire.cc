#include "coordinator/server/paxos_wire.h"

#include <initializer_list>
#include <string>
#include <utility>

#include "base/overloaded.h"
#include "coordinator/state/command.h"
#include "runtime/rpc/ids.h"

namespace assent::coordinator {
namespace {

constexpr std::size_t kMessageBytes = 128;      // without its values
constexpr std::size_t kPromisedSlotBytes = 64;  // around a value

// No proposer makes a longer one (paxos::Options::accept_bytes_max): every log has records for it.
constexpr std::size_t kValueBytesMax = 1u << 20;

// A slot that is far from any that a log reaches: what counts on from it still fits 64 bits.
constexpr std::int64_t kNumberMax = std::int64_t{1} << 62;

template <class Number>
std::int64_t number(Number value) {
  return static_cast<std::int64_t>(value.value);
}

// ── to the wire ─────────────────────────────────────────────────────────────────────────────────

void fill(wire::PaxosMessage& out, const paxos::PreVote& message) {
  wire::PreVote one;
  one.ballot = rpc::to_wire(message.ballot);
  one.chosen_through = number(message.chosen_through);
  out.__set_pre_vote(one);
}

void fill(wire::PaxosMessage& out, const paxos::PreVoteAnswer& message) {
  wire::PreVoteAnswer one;
  one.ballot = rpc::to_wire(message.ballot);
  one.welcome = message.welcome;
  one.promised = rpc::to_wire(message.promised);
  out.__set_pre_vote_answer(one);
}

void fill(wire::PaxosMessage& out, const paxos::Prepare& message) {
  wire::PaxosPrepare one;
  one.ballot = rpc::to_wire(message.ballot);
  one.from_slot = number(message.from);
  out.__set_prepare(one);
}

void fill(wire::PaxosMessage& out, const paxos::Promise& message) {
  wire::PaxosPromise one;
  one.ballot = rpc::to_wire(message.ballot);
  one.from_slot = number(message.from);
  one.next_slot = number(message.next);
  for (const paxos::PromisedSlot& promised : message.accepted) {
    wire::PromisedSlot& slot = one.accepted.emplace_back();
    slot.slot = number(promised.slot);
    slot.ballot = rpc::to_wire(promised.accepted.ballot);
    slot.value = *promised.accepted.value;
  }
  one.chosen_through = number(message.chosen_through);
  out.promise = std::move(one);
  out.__isset.promise = true;
}

void fill(wire::PaxosMessage& out, const paxos::Accept& message) {
  wire::PaxosAccept one;
  one.ballot = rpc::to_wire(message.ballot);
  one.first = number(message.first);
  for (const paxos::Value& value : message.values) one.values.push_back(*value);
  one.chosen_through = number(message.chosen_through);
  one.probe = number(message.probe);
  out.accept = std::move(one);
  out.__isset.accept = true;
}

void fill(wire::PaxosMessage& out, const paxos::AcceptedThrough& message) {
  wire::AcceptedThrough one;
  one.ballot = rpc::to_wire(message.ballot);
  one.through = number(message.through);
  one.chosen_through = number(message.chosen_through);
  one.probe = number(message.probe);
  out.__set_accepted_through(one);
}

void fill(wire::PaxosMessage& out, const paxos::Refused& message) {
  wire::PaxosRefused one;
  one.ballot = rpc::to_wire(message.ballot);
  one.promised = rpc::to_wire(message.promised);
  out.__set_refused(one);
}

void fill(wire::PaxosMessage& out, const paxos::TakeOver& message) {
  wire::TakeOver one;
  one.ballot = rpc::to_wire(message.ballot);
  out.__set_take_over(one);
}

void fill(wire::PaxosMessage& out, const paxos::SnapshotOffer& message) {
  wire::SnapshotOffer one;
  one.ballot = rpc::to_wire(message.ballot);
  one.snapshot = to_wire(message.snapshot);
  out.__set_snapshot_offer(one);
}

void fill(wire::PaxosMessage& out, const paxos::RecoveryAsk& message) {
  wire::RecoveryAsk one;
  one.ballot = rpc::to_wire(message.ballot);
  one.nonce = static_cast<std::int64_t>(message.nonce);
  one.through = number(message.through);
  out.__set_recovery_ask(one);
}

void fill(wire::PaxosMessage& out, const paxos::RecoveryAnswer& message) {
  wire::RecoveryAnswer one;
  one.ballot = rpc::to_wire(message.ballot);
  one.nonce = static_cast<std::int64_t>(message.nonce);
  one.last = number(message.last);
  one.governed_through = number(message.governed_through);
  out.__set_recovery_answer(one);
}

// ── from the wire ───────────────────────────────────────────────────────────────────────────────

tl::unexpected<Error> refuse(const std::string& what) {
  return failure(ErrorCode::kInvalidArgument, what);
}

bool counts(std::initializer_list<std::int64_t> numbers) {
  for (const std::int64_t one : numbers) {
    if (one < 0 || one > kNumberMax) return false;
  }
  return true;
}

// One that stands for "none so far" is all zeros.
Result<Ballot> ballot_or_none(const wire::Ballot& ballot) {
  if (ballot.incarnation == 0 && ballot.round == 0 && ballot.replica == 0) return Ballot{};
  return rpc::from_wire(ballot);
}

// A ballot in which the sender speaks for itself.
Result<Ballot> own_ballot(const wire::Ballot& ballot, ReplicaId sender) {
  auto out = rpc::from_wire(ballot);
  if (out && out->replica != sender) {
    return refuse("replica " + to_string(sender) + " speaks under ballot " + to_string(*out) +
                  ", which is another's");
  }
  return out;
}

Result<paxos::Value> value_from_wire(std::string& bytes) {
  if (bytes.size() > kValueBytesMax) {
    return refuse("a value has " + std::to_string(bytes.size()) + " bytes, and at most " +
                  std::to_string(kValueBytesMax) + " are taken");
  }
  if (!bytes.empty()) {
    const auto entry = state::decode_entry(bytes);
    if (!entry) return refuse("a value is not an entry: " + entry.error().message);
  }
  return paxos::make_value(std::move(bytes));
}

Result<paxos::Message> take(const wire::PreVote& message, ReplicaId sender) {
  if (!counts({message.chosen_through})) return refuse("a number of a pre-vote is out of range");
  return own_ballot(message.ballot, sender).map([&](const Ballot& ballot) -> paxos::Message {
    return paxos::PreVote{ballot, Slot(static_cast<std::uint64_t>(message.chosen_through))};
  });
}

Result<paxos::Message> take(const wire::PreVoteAnswer& message) {
  const auto ballot = rpc::from_wire(message.ballot);
  if (!ballot) return tl::unexpected(ballot.error());
  return ballot_or_none(message.promised).map([&](const Ballot& promised) -> paxos::Message {
    return paxos::PreVoteAnswer{*ballot, message.welcome, promised};
  });
}

Result<paxos::Message> take(const wire::PaxosPrepare& message, ReplicaId sender) {
  if (!counts({message.from_slot})) return refuse("a number of a prepare is out of range");
  return own_ballot(message.ballot, sender).map([&](const Ballot& ballot) -> paxos::Message {
    return paxos::Prepare{ballot, Slot(static_cast<std::uint64_t>(message.from_slot))};
  });
}

Result<paxos::PromisedSlot> take(wire::PromisedSlot& promised) {
  if (!counts({promised.slot})) return refuse("a slot of a promise is out of range");
  const auto ballot = rpc::from_wire(promised.ballot);
  if (!ballot) return tl::unexpected(ballot.error());
  return value_from_wire(promised.value).map([&](const paxos::Value& value) {
    return paxos::PromisedSlot{Slot(static_cast<std::uint64_t>(promised.slot)), {*ballot, value}};
  });
}

Result<paxos::Message> take(wire::PaxosPromise& message) {
  if (!counts({message.from_slot, message.next_slot, message.chosen_through})) {
    return refuse("a number of a promise is out of range");
  }
  const auto ballot = rpc::from_wire(message.ballot);
  if (!ballot) return tl::unexpected(ballot.error());
  paxos::Promise out{*ballot,
                     Slot(static_cast<std::uint64_t>(message.from_slot)),
                     Slot(static_cast<std::uint64_t>(message.next_slot)),
                     {},
                     Slot(static_cast<std::uint64_t>(message.chosen_through))};
  for (wire::PromisedSlot& promised : message.accepted) {
    auto taken = take(promised);
    if (!taken) return tl::unexpected(taken.error());
    out.accepted.push_back(std::move(*taken));
  }
  return out;
}

Result<paxos::Message> take(wire::PaxosAccept& message, ReplicaId sender) {
  if (!counts({message.first, message.chosen_through, message.probe})) {
    return refuse("a number of an accept is out of range");
  }
  if (!message.values.empty() && message.first == 0) return refuse("slots count from 1");
  const auto ballot = own_ballot(message.ballot, sender);
  if (!ballot) return tl::unexpected(ballot.error());
  paxos::Accept out{*ballot,
                    Slot(static_cast<std::uint64_t>(message.first)),
                    {},
                    Slot(static_cast<std::uint64_t>(message.chosen_through)),
                    paxos::Probe(static_cast<std::uint64_t>(message.probe))};
  for (std::string& bytes : message.values) {
    auto value = value_from_wire(bytes);
    if (!value) return tl::unexpected(value.error());
    out.values.push_back(std::move(*value));
  }
  return out;
}

Result<paxos::Message> take(const wire::AcceptedThrough& message) {
  if (!counts({message.through, message.chosen_through, message.probe})) {
    return refuse("a number of an acceptance is out of range");
  }
  return rpc::from_wire(message.ballot).map([&](const Ballot& ballot) -> paxos::Message {
    return paxos::AcceptedThrough{ballot, Slot(static_cast<std::uint64_t>(message.through)),
                                  Slot(static_cast<std::uint64_t>(message.chosen_through)),
                                  paxos::Probe(static_cast<std::uint64_t>(message.probe))};
  });
}

Result<paxos::Message> take(const wire::PaxosRefused& message) {
  const auto ballot = rpc::from_wire(message.ballot);
  if (!ballot) return tl::unexpected(ballot.error());
  return rpc::from_wire(message.promised).map([&](const Ballot& promised) -> paxos::Message {
    return paxos::Refused{*ballot, promised};
  });
}

Result<paxos::Message> take(const wire::TakeOver& message, ReplicaId sender) {
  return own_ballot(message.ballot, sender).map([](const Ballot& ballot) -> paxos::Message {
    return paxos::TakeOver{ballot};
  });
}

Result<paxos::Message> take(const wire::SnapshotOffer& message, ReplicaId sender) {
  const auto ballot = own_ballot(message.ballot, sender);
  if (!ballot) return tl::unexpected(ballot.error());
  return from_wire(message.snapshot).map([&](const paxos::SnapshotInfo& info) -> paxos::Message {
    return paxos::SnapshotOffer{*ballot, info};
  });
}

Result<paxos::Message> take(const wire::RecoveryAsk& message) {
  if (!counts({message.through})) return refuse("a slot of a recovery is out of range");
  return rpc::from_wire(message.ballot).map([&](const Ballot& ballot) -> paxos::Message {
    return paxos::RecoveryAsk{ballot, static_cast<std::uint64_t>(message.nonce),
                              Slot(static_cast<std::uint64_t>(message.through))};
  });
}

Result<paxos::Message> take(const wire::RecoveryAnswer& message, ReplicaId sender) {
  if (!counts({message.last, message.governed_through})) {
    return refuse("a slot of a recovery's answer is out of range");
  }
  return own_ballot(message.ballot, sender).map([&](const Ballot& ballot) -> paxos::Message {
    return paxos::RecoveryAnswer{ballot, static_cast<std::uint64_t>(message.nonce),
                                 Slot(static_cast<std::uint64_t>(message.last)),
                                 Slot(static_cast<std::uint64_t>(message.governed_through))};
  });
}

}  // namespace

wire::SnapshotInfo to_wire(const paxos::SnapshotInfo& snapshot) {
  wire::SnapshotInfo out;
  out.through = number(snapshot.through);
  out.id = static_cast<std::int64_t>(snapshot.id);
  out.bytes = static_cast<std::int64_t>(snapshot.bytes);
  return out;
}

Result<paxos::SnapshotInfo> from_wire(const wire::SnapshotInfo& snapshot) {
  if (!counts({snapshot.through, snapshot.bytes}) || snapshot.through == 0) {
    return refuse("a number of a snapshot is out of range");
  }
  return paxos::SnapshotInfo{Slot(static_cast<std::uint64_t>(snapshot.through)),
                             static_cast<std::uint64_t>(snapshot.id),
                             static_cast<std::uint64_t>(snapshot.bytes)};
}

wire::PaxosMessage to_wire(const paxos::Message& message) {
  wire::PaxosMessage out;
  std::visit([&](const auto& one) { fill(out, one); }, message);
  return out;
}

Result<paxos::Message> from_wire(wire::PaxosMessage& message, ReplicaId sender) {
  if (message.__isset.accept) return take(message.accept, sender);
  if (message.__isset.accepted_through) return take(message.accepted_through);
  if (message.__isset.pre_vote) return take(message.pre_vote, sender);
  if (message.__isset.pre_vote_answer) return take(message.pre_vote_answer);
  if (message.__isset.prepare) return take(message.prepare, sender);
  if (message.__isset.promise) return take(message.promise);
  if (message.__isset.refused) return take(message.refused);
  if (message.__isset.take_over) return take(message.take_over, sender);
  if (message.__isset.snapshot_offer) return take(message.snapshot_offer, sender);
  if (message.__isset.recovery_ask) return take(message.recovery_ask);
  if (message.__isset.recovery_answer) return take(message.recovery_answer, sender);
  return refuse("a message of a kind that this version does not know");
}

std::size_t wire_size(const paxos::Message& message) {
  std::size_t bytes = kMessageBytes;
  if (const auto* accept = std::get_if<paxos::Accept>(&message)) {
    for (const paxos::Value& value : accept->values) bytes += value->size();
  } else if (const auto* promise = std::get_if<paxos::Promise>(&message)) {
    for (const paxos::PromisedSlot& one : promise->accepted) {
      bytes += kPromisedSlotBytes + one.accepted.value->size();
    }
  }
  return bytes;
}

}  // namespace assent::coordinator
