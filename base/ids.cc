#include "base/ids.h"

#include <xxhash.h>

#include <algorithm>

#include "base/check.h"

namespace assent {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";
constexpr std::string_view kShape = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx-xxxxxxxxxxxxxxxx";
static_assert(kShape.size() == kTransactionIdLength);

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

// An attempt of a one-shot in bits, from the highest: 0 (it is an i64 on the wire), 1, 22 of the
// office, 40 of the serial.
constexpr std::uint64_t kOneShotBit = std::uint64_t{1} << 62;
constexpr int kSerialBits = 40;

Attempt one_shot_attempt(OneShotSerial serial) {
  CHECK(serial.office > 0 && serial.office <= kOfficeNumberMax, "22 bits number the offices");
  CHECK(serial.serial > 0 && serial.serial <= kSerialMax, "40 bits number an office's one-shots");
  return Attempt(kOneShotBit | (serial.office << kSerialBits) | serial.serial);
}

std::optional<OneShotSerial> one_shot_serial(Attempt attempt) {
  if ((attempt.value & kOneShotBit) == 0) return std::nullopt;
  return OneShotSerial{(attempt.value >> kSerialBits) & kOfficeNumberMax,
                       attempt.value & kSerialMax};
}

bool valid_name(std::string_view name, std::size_t max) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  return !name.empty() && name.size() <= max && std::all_of(name.begin(), name.end(), allowed);
}

std::string to_string(const Ballot& ballot) {
  return to_string(ballot.incarnation) + '.' + to_string(ballot.round) + '.' +
         to_string(ballot.replica);
}

std::string to_string(const TransactionId& id) {
  const std::uint64_t words[3] = {id.high, id.low, id.creator};
  std::string text(kShape);
  int digit = 0;
  for (char& c : text) {
    if (c != 'x') continue;
    c = kHexDigits[(words[digit / 16] >> (60 - 4 * (digit % 16))) & 0xF];
    ++digit;
  }
  return text;
}

std::optional<TransactionId> parse_transaction_id(std::string_view text) {
  if (text.size() != kShape.size()) return std::nullopt;
  std::uint64_t words[3] = {};
  int digit = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (kShape[i] == '-') {
      if (text[i] != '-') return std::nullopt;
      continue;
    }
    const int value = hex_value(text[i]);
    if (value < 0) return std::nullopt;
    words[digit / 16] = (words[digit / 16] << 4) | static_cast<std::uint64_t>(value);
    ++digit;
  }
  const bool version_7 = ((words[0] >> 12) & 0xF) == 7;
  const bool variant_1 = (words[1] >> 62) == 2;
  if (!version_7 || !variant_1) return std::nullopt;
  return TransactionId{words[0], words[1], words[2]};
}

TransactionId make_transaction_id(LogTime now, std::uint64_t random_a, std::uint64_t random_b,
                                  std::uint64_t creator) {
  // RFC 9562, section 5.7: 48 bits of time, version, 12 random bits; variant, 62 random bits.
  const auto time = static_cast<std::uint64_t>(now.value) & 0xFFFF'FFFF'FFFFULL;
  TransactionId id;
  id.high = (time << 16) | 0x7000ULL | (random_a & 0xFFFULL);
  id.low = (2ULL << 62) | (random_b & 0x3FFF'FFFF'FFFF'FFFFULL);
  id.creator = creator;
  return id;
}

std::uint64_t creator_tag(std::string_view creator_name) {
  return XXH3_64bits(creator_name.data(), creator_name.size());
}

std::string to_string(const BranchId& branch) {
  return to_string(branch.transaction) + ':' + branch.participant + ':' + to_string(branch.epoch) +
         '.' + to_string(branch.attempt);
}

std::string_view name(FinishResult result) {
  switch (result) {
    case FinishResult::kDone:
      return "done";
    case FinishResult::kHeuristicCommit:
      return "heuristic-commit";
    case FinishResult::kHeuristicRollback:
      return "heuristic-rollback";
    case FinishResult::kHazard:
      return "hazard";
  }
  return "?";
}

std::string_view name(Outcome outcome) {
  switch (outcome) {
    case Outcome::kCommitted:
      return "COMMITTED";
    case Outcome::kAborted:
      return "ABORTED";
  }
  return "UNKNOWN_OUTCOME";
}

}  // namespace assent
