// The formats in which entries of the log and chunks of a snapshot are written and read.
#pragma once

#include <cstdint>

namespace assent::state {

// Of encoded entries. 2 knows changes of the group; an entry without any is written as 1, which
// earlier versions read, too.
inline constexpr std::uint8_t kEntryFormat = 2;

// Of the chunks of a snapshot. 2 has the group; of 1 it is read as not founded.
inline constexpr std::uint8_t kSnapshotFormat = 2;

// What one version of the program knows: it writes nothing newer, and refuses by name to read
// anything newer (kUnsupportedVersion). This version's, unless an earlier one is played.
struct Formats {
  std::uint8_t entry = kEntryFormat;
  std::uint8_t snapshot = kSnapshotFormat;

  bool operator==(const Formats&) const = default;
};

}  // namespace assent::state
