// The formats in which entries of the log and chunks of a snapshot are written and read.
#pragma once

#include <cstdint>

namespace assent::state {

// Of encoded entries. 2 knows changes of the group, 3 branches that ended otherwise than decided
// and histories of databases, 4 what operators decide, and landmarks of histories, 5
// participants that operators take out, 6 every break of a history. An entry is written in the
// first format that knows all of it, which earlier versions read, too.
inline constexpr std::uint8_t kEntryFormat = 6;

// Of the chunks of a snapshot. 2 has the group; of 1 it is read as not founded. 3 has what is kept
// of branches that ended otherwise than decided, and of databases' histories; of earlier ones it is
// read as nothing. 4 has restores from backups, what operators decided, and landmarks, 5
// participants that operators took out, 6 every break of a history, and records that are held back
// below the floor.
inline constexpr std::uint8_t kSnapshotFormat = 6;

// What one version of the program knows: it writes nothing newer, and refuses by name to read
// anything newer (kUnsupportedVersion). This version's, unless an earlier one is played.
struct Formats {
  std::uint8_t entry = kEntryFormat;
  std::uint8_t snapshot = kSnapshotFormat;

  bool operator==(const Formats&) const = default;
};

}  // namespace assent::state
