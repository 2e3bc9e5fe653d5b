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

Record encode_base(Slot through) {
  Encoder out;
  out.put_u64(through.value);
  return {RecordType::kBase, out.take()};
}

Result<Slot> decode_base(std::string_view payload) {
  Decoder in(payload);
  const Slot through(in.get_u64());
  if (!in.finished() || through == Slot(0)) return refuse("a base");
  return through;
}

Result<paxos::Record> decode_record(RecordType type, std::string_view payload) {
  switch (type) {
    case RecordType::kPromised:
      return decode_promised(payload);
    case RecordType::kAccepted:
      return decode_accepted(payload);
    case RecordType::kChosenMark:
      return decode_chosen_mark(payload);
    case RecordType::kBase:
      break;
  }
  CHECK(false, "only records of consensus are decoded");
  return refuse("a record");
}

}  // namespace assent::storage
