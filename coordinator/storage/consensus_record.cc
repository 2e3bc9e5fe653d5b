#include "coordinator/storage/consensus_record.h"

#include <algorithm>
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

void put(Encoder& out, const RepairScope& scope) {
  out.put_u64(scope.base.value);
  for (const LostRecords& lost : scope.lost) {
    out.put_u64(lost.first.value);
    out.put_u64(lost.next.value);
  }
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

// What lacked: the rest of the payload.
bool decode_lost(Decoder& in, std::vector<LostRecords>& lost) {
  Sequence before(0);
  while (in.ok() && !in.finished()) {
    const Sequence first(in.get_u64());
    const Sequence next(in.get_u64());
    if (!in.ok() || first <= before || next <= first) return false;
    lost.push_back({first, next});
    before = next;
  }
  return in.ok();
}

Result<paxos::Record> decode_repaired(std::string_view payload) {
  Decoder in(payload);
  const paxos::Repaired repaired{Slot(in.get_u64())};
  if (auto scope = decode_repair_scope(payload); !scope) return tl::unexpected(scope.error());
  return repaired;
}

}  // namespace

bool RepairScope::covers(const LostRecords& lacking) const {
  return std::ranges::any_of(lost, [&](const LostRecords& one) {
    return one.first <= lacking.first && lacking.next <= one.next;
  });
}

Record encode(const paxos::Record& record, const RepairScope& scope) {
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
                                         [&](const paxos::Repaired& repaired) {
                                           out.put_u64(repaired.through.value);
                                           put(out, scope);
                                           return RecordType::kRepaired;
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

Result<RepairScope> decode_repair_scope(std::string_view payload) {
  Decoder in(payload);
  const Slot through(in.get_u64());
  RepairScope scope{Slot(in.get_u64()), {}};
  if (!in.ok() || through < scope.base || !decode_lost(in, scope.lost)) return refuse("a repair");
  return scope;
}

Result<paxos::Record> decode_record(RecordType type, std::string_view payload) {
  switch (type) {
    case RecordType::kPromised:
      return decode_promised(payload);
    case RecordType::kAccepted:
      return decode_accepted(payload);
    case RecordType::kChosenMark:
      return decode_chosen_mark(payload);
    case RecordType::kRepaired:
      return decode_repaired(payload);
    case RecordType::kBase:
      break;
  }
  CHECK(false, "only records of consensus are decoded");
  return refuse("a record");
}

}  // namespace assent::storage
