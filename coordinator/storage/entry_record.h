// The payload of a record of type kEntry: one chosen slot of the log of a group of one.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "base/ids.h"
#include "coordinator/state/command.h"

namespace assent::storage {

struct EntryRecord {
  Slot slot;
  Ballot ballot;  // under which it was chosen
  state::Entry entry;
};

inline constexpr std::size_t kEntryPrefixBytes = 28;  // slot and ballot, in front of the entry

// `entry` is encoded already: its size decides where entries are cut.
std::string encode_entry_record(Slot slot, const Ballot& ballot, std::string_view entry);

Result<EntryRecord> decode_entry_record(std::string_view payload);

}  // namespace assent::storage
