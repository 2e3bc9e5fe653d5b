// How the parts of commands and of the state are written as bytes, and read again. Private to this
// folder.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "base/codec.h"
#include "base/error.h"
#include "base/ids.h"
#include "coordinator/state/command.h"
#include "coordinator/state/heuristics.h"
#include "coordinator/state/participants.h"
#include "coordinator/state/state_machine.h"
#include "coordinator/state/withdrawals.h"

namespace assent::state {

inline constexpr std::uint8_t kSnapshotFormatGroups = 2;
inline constexpr std::uint8_t kSnapshotFormatHistories = 3;    // heuristics, and broken histories
inline constexpr std::uint8_t kSnapshotFormatRestores = 4;     // restores, resolutions, landmarks
inline constexpr std::uint8_t kSnapshotFormatWithdrawals = 5;  // participants taken out
inline constexpr std::uint8_t kSnapshotFormatEveryBreak = 6;   // and records held back

void put_time(Encoder& out, LogTime time);
void put(Encoder& out, const TransactionId& id);
void put(Encoder& out, const Ballot& ballot);
void put(Encoder& out, const DatabaseIdentity& identity);
void put(Encoder& out, const Landmark& landmark);
void put(Encoder& out, const DecidedBranch& branch);
void put(Encoder& out, const std::vector<DecidedBranch>& branches);
void put(Encoder& out, const Error& error);
void put(Encoder& out, const Member& member);
void put(Encoder& out, const Membership& membership);
void put(Encoder& out, const Restoration& restoration);
void put(Encoder& out, const Withdrawals& withdrawals);
// In this format of snapshots.
void put(Encoder& out, const Heuristics& heuristics, std::uint8_t format);
void put_record(Encoder& out, const TransactionId& id, const TransactionRecord& record);
// In this format of snapshots.
void put_participant(Encoder& out, const std::string& name, const ParticipantRecord& record,
                     std::uint8_t format);

// Takes values off the front of a Decoder. A value that is not there, or is out of its range,
// spoils the whole: `ok()` is false from then on.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : in_(bytes) {}

  [[nodiscard]] bool ok() const { return in_range_ && in_.ok(); }
  [[nodiscard]] bool finished() const { return in_range_ && in_.finished(); }

  std::uint8_t byte() { return in_.get_u8(); }
  bool flag() {
    const std::uint8_t value = in_.get_u8();
    require(value <= 1);
    return value == 1;
  }
  std::uint64_t fixed() { return in_.get_u64(); }
  std::uint64_t varint() { return in_.get_varint(); }
  std::string text() { return std::string(in_.get_string()); }

  // A varint that must fit into Int.
  template <class Int>
  Int number() {
    const std::uint64_t value = in_.get_varint();
    require(value <= static_cast<std::uint64_t>(std::numeric_limits<Int>::max()));
    return static_cast<Int>(value);
  }

  // A count, then that many values. Every value takes at least one byte, so a count above the bytes
  // that are left is a lie; it is refused before anything is allocated for it.
  template <class ReadOne>
  auto list(ReadOne read_one) {
    std::vector<decltype(read_one())> values;
    const std::uint64_t count = in_.get_varint();
    require(count <= in_.remaining());
    for (std::uint64_t i = 0; i < count && ok(); ++i) values.push_back(read_one());
    return values;
  }

  void require(bool condition) { in_range_ = in_range_ && condition; }

 private:
  Decoder in_;
  bool in_range_ = true;
};

LogTime read_time(Reader& in);
TransactionId read_transaction(Reader& in);
Ballot read_ballot(Reader& in);
DatabaseIdentity read_identity(Reader& in);
Landmark read_landmark(Reader& in);
Outcome read_outcome(Reader& in);
FinishResult read_finish_result(Reader& in);
DecidedBranch read_branch(Reader& in);
std::vector<DecidedBranch> read_branches(Reader& in);
Error read_error(Reader& in);
ReplicaId read_replica(Reader& in);
Member read_member(Reader& in);
std::vector<Member> read_members(Reader& in);  // each id once, at least one that is no learner
Membership read_membership(Reader& in);
Restoration read_restoration(Reader& in);
Withdrawals read_withdrawals(Reader& in);
Heuristics read_heuristics(Reader& in, std::uint8_t format);
TransactionRecord read_record(Reader& in);                            // behind its id
ParticipantRecord read_participant(Reader& in, std::uint8_t format);  // behind its name

}  // namespace assent::state
