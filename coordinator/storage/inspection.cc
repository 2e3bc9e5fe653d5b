#include "coordinator/storage/inspection.h"

#include <fcntl.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/overloaded.h"
#include "coordinator/storage/consensus_record.h"
#include "coordinator/storage/segment_directory.h"
#include "coordinator/storage/snapshot_io.h"

namespace assent::storage {
namespace {

constexpr int kReadingsMax = 8;

const char* const kReplace =
    "Restore the file if a copy of this very moment exists; else replace this replica under a new "
    "id.";
// A start says which of the two it is.
const char* const kRepair =
    "Start the replica while most of the others run: they repair it, unless nothing with a ballot "
    "stands behind the damage. Then it refuses to start: replace this replica under a new id.";

// A record that says what damage matters no more, and which it is.
struct Repair {
  Sequence record;
  RepairScope scope;
};

bool is_gone(const std::string& path) {
  std::error_code error;
  return !std::filesystem::exists(path, error);
}

struct Reading {
  Segment segment;
  std::vector<DamagedRegion> regions;
};

Result<Reading> read_once(const SegmentFile& named, std::optional<Sequence> follower) {
  Result<Segment> segment = load_segment(named);
  if (!segment) return tl::unexpected(std::move(segment.error()));
  Reading reading{std::move(*segment), {}};
  const SegmentVisitor visitor{
      .record = [](const FoundRecord&, std::uint64_t) -> Result<void> { return {}; },
      .damaged = [&](const DamagedRegion& region) -> Result<void> {
        reading.regions.push_back(region);
        return {};
      }};
  const auto end = scan_segment(reading.segment.bytes, reading.segment.header, follower, visitor);
  if (!end) return tl::unexpected(end.error());
  return reading;
}

// A replica may be writing while its file is read. A reading may then show a record without one
// that was durable before it was written, read too early; a second reading, begun after that, shows
// both. So damage is what two readings agree on.
Result<Reading> read_settled(const SegmentFile& named, std::optional<Sequence> follower) {
  Result<Reading> reading = read_once(named, follower);
  for (int i = 1; i < kReadingsMax && reading && !reading->regions.empty(); ++i) {
    const std::vector<DamagedRegion> before = reading->regions;
    reading = read_once(named, follower);
    if (reading && reading->regions == before) break;
  }
  return reading;
}

// Reads the log of a directory, once.
class LogInspector {
 public:
  explicit LogInspector(const LogVisitor& visitor) : visitor_(visitor) {}

  Result<LogSummary> run(const std::string& directory, Sequence needed_from) {
    const auto files = list_segments(directory);
    if (!files) return tl::unexpected(files.error());
    files_ = &*files;
    for (std::size_t i = 0; i < files->size(); ++i) {
      const bool last = i + 1 == files->size();
      take((*files)[i], last ? std::nullopt : std::optional((*files)[i + 1].first));
    }
    if (!begun_ || needed_from < summary_.first) missing_in_front(directory, needed_from);
    return std::move(summary_);
  }

 private:
  void take(const SegmentFile& named, std::optional<Sequence> follower) {
    const Result<Reading> reading = read_settled(named, follower);
    // A running replica deletes what it does not need any more, from the front on.
    if (!reading && !begun_ && is_gone(named.path)) return;
    if (!begun_) summary_.first = summary_.next = named.first;
    begun_ = true;
    if (summary_.next < named.first) missing_between(named);
    ++summary_.segments;
    summary_.next = follower.value_or(named.first);
    if (!reading) {
      return tell_lost(named.path, 0, {named.first, summary_.next}, reading.error().message);
    }
    summary_.bytes += reading->segment.bytes.size();
    visitor_.segment({named.path, reading->segment.header, reading->segment.bytes.size()});
    scan(named, reading->segment, follower);
  }

  void scan(const SegmentFile& named, const Segment& segment, std::optional<Sequence> follower) {
    const SegmentVisitor visitor{
        .record = [&](const FoundRecord& record, std::uint64_t offset) -> Result<void> {
          take_record({named.path, offset, record.header, record.payload});
          return {};
        },
        .damaged = [&](const DamagedRegion& region) -> Result<void> {
          damaged(named.path, region);
          return {};
        }};
    const auto end = scan_segment(segment.bytes, segment.header, follower, visitor);
    if (!end) return tell(named.path, 0, end.error().message, kReplace);
    summary_.next = end->next;
    if (end->torn_bytes > 0) summary_.torn = TornTail{named.path, end->end, end->torn_bytes};
  }

  void take_record(const InspectedRecord& record) {
    ++summary_.records;
    visitor_.record(record);
    const std::string where = at_offset(std::string(record.file), record.offset);
    auto taken = check_known(record.header, where).and_then([&] { return take_in(record); });
    if (taken) return;
    const bool newer = taken.error().code == ErrorCode::kUnsupportedVersion;
    tell(std::string(record.file), record.offset,
         newer ? taken.error().message : where + ": " + taken.error().message,
         newer ? "Use the version of Assent that wrote it." : kReplace);
  }

  Result<void> take_in(const InspectedRecord& record) {
    const auto type = static_cast<RecordType>(record.header.type);
    if (type == RecordType::kBase) {
      return decode_base(record.payload).map([&](Slot base) {
        summary_.bases.push_back(base);
        // A life that went on from an older state than stood there: its marks do, too.
        summary_.chosen_mark = std::min(summary_.chosen_mark, base);
      });
    }
    return decode_record(type, record.payload).and_then([&](const paxos::Record& decoded) {
      return std::visit(
          Overloaded{
              [&](const paxos::Promised& promised) { return take_ballot(promised.ballot); },
              [&](const paxos::Accepted& accepted) { return take_ballot(accepted.ballot); },
              [&](const paxos::ChosenMark& mark) { return take_mark(mark.through); },
              [&](const paxos::Repaired& repaired) {
                marks_may_fall_ = false;
                return take_mark(repaired.through);
              },
          },
          decoded);
    });
  }

  Result<void> take_ballot(const Ballot& ballot) {
    if (ballot < summary_.promised) {
      return failure(ErrorCode::kInternal,
                     "ballot " + to_string(ballot) + " behind the higher ballot " +
                         to_string(summary_.promised) + ", which no replica writes.");
    }
    summary_.promised = ballot;
    return {};
  }

  Result<void> take_mark(Slot through) {
    if (through < summary_.chosen_mark && !marks_may_fall_) {
      return failure(ErrorCode::kInternal,
                     "chosen mark " + to_string(through) + " behind the higher mark " +
                         to_string(summary_.chosen_mark) + ", which no replica writes.");
    }
    summary_.chosen_mark = through;
    return {};
  }

  void damaged(const std::string& file, const DamagedRegion& region) {
    tell_lost(file, region.offset, {region.first, region.next},
              "Corrupted: " + at_offset(file, region.offset) + ", " +
                  std::to_string(region.end - region.offset) + " bytes: " +
                  (region.records() == 1 ? "record " + to_string(region.first) + " was"
                                         : std::to_string(region.records()) + " records from " +
                                               to_string(region.first) + " on were") +
                  " durable and cannot be read.");
  }

  void missing_between(const SegmentFile& named) {
    tell_lost(named.path, 0, {summary_.next, named.first},
              "The segment that begins with record " + to_string(summary_.next) +
                  " is missing in front of " + named.path + ".");
  }

  void missing_in_front(const std::string& directory, Sequence needed_from) {
    tell_lost(directory, 0, {needed_from, summary_.first},
              "The segment with record " + to_string(needed_from) +
                  ", from which on the log is needed, " + "is missing in " + directory + ".");
  }

  // A life that repairs goes on below marks that stand in its log.
  void tell_lost(std::string file, std::uint64_t offset, const LostRecords& lost,
                 std::string sentence) {
    marks_may_fall_ = true;
    const std::optional<Sequence> by = repaired_by(lost);
    std::string remedy = kRepair;
    if (by) {
      remedy = "The others have repaired it, as record " + to_string(*by) +
               " says: it goes by itself with two more snapshots.";
    }
    visitor_.problem(
        {std::move(file), offset, std::move(sentence), std::move(remedy), by.has_value()});
  }

  [[nodiscard]] std::optional<Sequence> repaired_by(const LostRecords& lost) {
    if (!repairs_) repairs_ = find_repairs();
    const auto found = std::ranges::find_if(*repairs_, [&](const Repair& repair) {
      return lost.next <= repair.record && repair.scope.covers(lost);
    });
    return found == repairs_->end() ? std::nullopt : std::optional(found->record);
  }

  // Another look at the whole log, for it stands behind the damage.
  [[nodiscard]] std::vector<Repair> find_repairs() const {
    std::vector<Repair> found;
    for (std::size_t i = 0; i < files_->size(); ++i) {
      const Result<Segment> segment = load_segment((*files_)[i]);
      if (!segment) continue;
      const SegmentVisitor visitor{
          .record = [&](const FoundRecord& record, std::uint64_t) -> Result<void> {
            if (record.header.type != static_cast<std::uint8_t>(RecordType::kRepaired)) return {};
            auto scope = decode_repair_scope(record.payload);
            if (scope) found.push_back({record.header.sequence, std::move(*scope)});
            return {};
          },
          .damaged = [](const DamagedRegion&) -> Result<void> { return {}; }};
      const bool last = i + 1 == files_->size();
      const auto follower = last ? std::nullopt : std::optional((*files_)[i + 1].first);
      // What cannot be read is told of where it is read for itself.
      (void)scan_segment(segment->bytes, segment->header, follower, visitor);
    }
    return found;
  }

  void tell(std::string file, std::uint64_t offset, std::string sentence, std::string remedy) {
    visitor_.problem({std::move(file), offset, std::move(sentence), std::move(remedy)});
  }

  const LogVisitor& visitor_;
  const std::vector<SegmentFile>* files_ = nullptr;
  std::optional<std::vector<Repair>> repairs_;  // none: not looked for
  bool marks_may_fall_ = false;                 // behind damage that is not repaired
  bool begun_ = false;
  LogSummary summary_;
};

Result<std::vector<Slot>> list_snapshots(const std::string& directory) {
  std::vector<Slot> slots;
  std::error_code error;
  for (std::filesystem::directory_iterator at(directory, error), end; !error && at != end;
       at.increment(error)) {
    if (const auto slot = parse_snapshot_name(at->path().filename().string())) {
      slots.push_back(*slot);
    }
  }
  if (error) {
    return failure(ErrorCode::kInternal, "cannot list " + directory + ": " + error.message());
  }
  std::ranges::sort(slots);
  return slots;
}

Result<void> read_chunks(const File& file, const Identity& identity, InspectedSnapshot& snapshot) {
  std::uint64_t at = kSnapshotHeaderBytes + kSnapshotPreambleBytes;
  return read_snapshot(file, snapshot.info, identity.cluster,
                       [&](std::string_view chunk) -> Result<void> {
                         const std::uint64_t number = snapshot.chunks.size() + 1;
                         snapshot.chunks.push_back({number, at, chunk.size()});
                         at += kChunkHeaderBytes + chunk.size();
                         return {};
                       });
}

Result<void> inspect_snapshot(const std::optional<Identity>& identity, Slot slot,
                              InspectedSnapshot& snapshot) {
  const Result<File> file = File::open(snapshot.file, O_RDONLY);
  if (!file) return tl::unexpected(file.error());
  const Result<SnapshotInfo> info = read_snapshot_header(*file, slot);
  if (!info) return tl::unexpected(info.error());
  snapshot.info = *info;
  if (!identity) return {};
  auto whole = read_chunks(*file, *identity, snapshot);
  snapshot.whole = whole.has_value();
  return whole;
}

}  // namespace

Result<std::optional<Identity>> inspect_identity(const std::string& directory) {
  for (const char* const name : {"/identity", "/identity.new"}) {
    const std::string path = directory + name;
    if (is_gone(path)) continue;
    const auto text =
        File::open(path, O_RDONLY).and_then([](const File& file) { return file.read_all(); });
    if (!text) return tl::unexpected(text.error());
    auto identity = decode_identity(*text);
    if (identity) return std::optional(std::move(*identity));
    return failure(identity.error().code, path + " " + identity.error().message);
  }
  return std::nullopt;
}

Result<std::vector<InspectedSnapshot>> inspect_snapshots(
    const std::string& directory, const std::optional<Identity>& identity,
    const std::function<void(const Problem&)>& problem) {
  const auto slots = list_snapshots(directory);
  if (!slots) return tl::unexpected(slots.error());
  std::vector<InspectedSnapshot> found;
  for (const Slot slot : *slots) {
    InspectedSnapshot snapshot{directory + "/" + snapshot_name(slot), {}, {}, false};
    const auto read = inspect_snapshot(identity, slot, snapshot);
    // A running replica removes what two newer ones replace.
    if (!read && is_gone(snapshot.file)) continue;
    if (!read) {
      problem({snapshot.file, 0, read.error().message,
               "A start uses the snapshot before it and the log. It goes by itself when two newer "
               "ones are there."});
    }
    found.push_back(std::move(snapshot));
  }
  return found;
}

Result<LogSummary> inspect_log(const std::string& directory, Sequence needed_from,
                               const LogVisitor& visitor) {
  return LogInspector(visitor).run(directory, needed_from);
}

}  // namespace assent::storage
