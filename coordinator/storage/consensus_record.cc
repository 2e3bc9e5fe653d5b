#include "coordinator/storage/consensus_record.h"

#include <utility>

#include "base/check.h"
#include "base/codec.h"
#include "base/overloaded.h"

namespace assent::storage {
namespace {

void put(Encoder& out, const Ballot& ballot) {
  out.put_u64(ballot.incarnation.value);
  out.put_u64(ballot.round.value);
  out.put_u32(ballot.replica.value);
}

Ballot get_ballot(Decoder& in) {
  const Incarnation incarnation(in.get_u64());
  const Round round(in.get_u64());
  const ReplicaId replica(in.get_u32());
  return {incarnation, round, replica};
}

// Incarnations, rounds and replicas count from 1.
bool valid(const Ballot& ballot) {
  return ballot.incarnation.value > 0 && ballot.round.value > 0 && ballot.replica.value > 0;
}

tl::unexpected<Error> refuse(std::string_view what) {
  return failure(ErrorCode::kInternal,
                 "the bytes are not " + std::string(what) + ", as this version writes it");
}

Result<paxos::Record> decode_promised(std::string_view payload) {
  Decoder in(payload);
  const paxos::Promised promised{get_ballot(in)};
  if (!in.finished() || !valid(promised.ballot)) return refuse("a promise");
  return promised;
}

Result<paxos::Record> decode_accepted(std::string_view payload) {
  Decoder in(payload);
  const Slot slot(in.get_u64());
  const Ballot ballot = get_ballot(in);
  if (!in.ok() || slot == Slot(0) || !valid(ballot)) return refuse("an accepted value");
  std::string value(payload.substr(kAcceptedPrefixBytes));
  return paxos::Accepted{slot, ballot, paxos::make_value(std::move(value))};
}

Result<paxos::Record> decode_chosen_mark(std::string_view payload) {
  Decoder in(payload);
  const paxos::ChosenMark mark{Slot(in.get_u64())};
  if (!in.finished() || mark.through == Slot(0)) return refuse("a chosen mark");
  return mark;
}

}  // namespace

std::string to_string(const Identity& identity) {
  return "replica " + to_string(identity.replica) + " of cluster " + identity.cluster;
}

Record encode(const Identity& identity) {
  Encoder out;
  out.put_u32(identity.replica.value);
  out.put_string(identity.cluster);
  return {RecordType::kIdentity, out.take()};
}

Record encode(const paxos::Record& record) {
  Encoder out;
  const RecordType type = std::visit(Overloaded{
                                         [&](const paxos::Promised& promised) {
                                           put(out, promised.ballot);
                                           return RecordType::kPromised;
                                         },
                                         [&](const paxos::Accepted& accepted) {
                                           out.put_u64(accepted.slot.value);
                                           put(out, accepted.ballot);
                                           return RecordType::kAccepted;
                                         },
                                         [&](const paxos::ChosenMark& mark) {
                                           out.put_u64(mark.through.value);
                                           return RecordType::kChosenMark;
                                         },
                                     },
                                     record);
  std::string payload = out.take();
  // The value is the rest of the payload: its length needs no bytes.
  if (const auto* accepted = std::get_if<paxos::Accepted>(&record)) payload += *accepted->value;
  return {type, std::move(payload)};
}

Result<Identity> decode_identity(std::string_view payload) {
  Decoder in(payload);
  const ReplicaId replica(in.get_u32());
  Identity identity{std::string(in.get_string()), replica};
  if (!in.finished() || replica == ReplicaId(0) || !valid_cluster_name(identity.cluster)) {
    return refuse("the identity of a log");
  }
  return identity;
}

Result<paxos::Record> decode_record(RecordType type, std::string_view payload) {
  switch (type) {
    case RecordType::kPromised:
      return decode_promised(payload);
    case RecordType::kAccepted:
      return decode_accepted(payload);
    case RecordType::kChosenMark:
      return decode_chosen_mark(payload);
    case RecordType::kIdentity:
      break;
  }
  CHECK(false, "only records of consensus are decoded");
  return refuse("a record");
}

}  // namespace assent::storage
