#include "coordinator/storage/entry_record.h"

#include <utility>

#include "base/codec.h"

namespace assent::storage {

std::string encode_entry_record(Slot slot, const Ballot& ballot, std::string_view entry) {
  Encoder encoder;
  encoder.put_u64(slot.value);
  encoder.put_u64(ballot.incarnation.value);
  encoder.put_u64(ballot.round.value);
  encoder.put_u32(ballot.replica.value);
  std::string payload = encoder.take();
  payload += entry;
  return payload;
}

Result<EntryRecord> decode_entry_record(std::string_view payload) {
  Decoder decoder(payload);
  const Slot slot(decoder.get_u64());
  const Incarnation incarnation(decoder.get_u64());
  const Round round(decoder.get_u64());
  const ReplicaId replica(decoder.get_u32());
  if (!decoder.ok()) {
    return failure(ErrorCode::kInternal, "the record is too short for a slot and a ballot");
  }
  Result<state::Entry> entry = state::decode_entry(payload.substr(kEntryPrefixBytes));
  if (!entry) return tl::unexpected(std::move(entry.error()));
  return EntryRecord{slot, {incarnation, round, replica}, std::move(*entry)};
}

}  // namespace assent::storage
