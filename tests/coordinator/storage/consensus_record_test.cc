#include "coordinator/storage/consensus_record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace assent::storage {
namespace {

using ::testing::HasSubstr;

const Ballot kBallot{Incarnation(1), Round(7), ReplicaId(3)};

paxos::Record accepted(std::string value) {
  return paxos::Accepted{Slot(42), kBallot, paxos::make_value(std::move(value))};
}

std::vector<paxos::Record> examples() {
  return {paxos::Promised{kBallot},
          accepted(""),
          accepted(std::string("\0\xff value", 8)),
          accepted(std::string(100'000, 'v')),
          paxos::ChosenMark{Slot(41)},
          paxos::Repaired{Slot(41)}};
}

void expect_refused(RecordType type, std::string_view payload, const std::string& what) {
  const auto record = decode_record(type, payload);
  ASSERT_FALSE(record.has_value()) << payload.size();
  EXPECT_EQ(record.error().code, ErrorCode::kInternal);
  EXPECT_THAT(record.error().message, HasSubstr("not " + what));
}

TEST(ConsensusRecord, SurvivesEncoding) {
  for (const paxos::Record& record : examples()) {
    const Record written = encode(record);
    const auto read = decode_record(written.type, written.payload);
    ASSERT_TRUE(read.has_value()) << read.error().message;
    EXPECT_EQ(read->index(), record.index());
    EXPECT_EQ(encode(*read), written);
  }
}

TEST(ConsensusRecord, KeepsWhatItSays) {
  const Record written = encode(accepted("value"));
  const auto read = decode_record(written.type, written.payload);
  ASSERT_TRUE(read.has_value());
  const auto& value = std::get<paxos::Accepted>(*read);
  EXPECT_EQ(value.slot, Slot(42));
  EXPECT_EQ(value.ballot, kBallot);
  EXPECT_EQ(*value.value, "value");
}

// docs/log-format.md has these bytes.
TEST(ConsensusRecord, IsWrittenAsDocumented) {
  const std::string ballot("\1\0\0\0\0\0\0\0\7\0\0\0\0\0\0\0\3\0\0\0", 20);
  EXPECT_EQ(encode(paxos::Record(paxos::Promised{kBallot})),
            (Record{RecordType::kPromised, ballot}));
  EXPECT_EQ(
      encode(accepted("value")),
      (Record{RecordType::kAccepted, std::string("\x2a\0\0\0\0\0\0\0", 8) + ballot + "value"}));
  EXPECT_EQ(encode(paxos::Record(paxos::ChosenMark{Slot(41)})),
            (Record{RecordType::kChosenMark, std::string("\x29\0\0\0\0\0\0\0", 8)}));
  EXPECT_EQ(encode_base(Slot(40)),
            (Record{RecordType::kBase, std::string("\x28\0\0\0\0\0\0\0", 8)}));
}

// docs/log-format.md has these bytes.
TEST(ConsensusRecord, ARepairNamesWhatLacked) {
  const RepairScope scope{Slot(40), {{Sequence(7), Sequence(9)}, {Sequence(12), Sequence(13)}}};
  const Record written = encode(paxos::Record(paxos::Repaired{Slot(41)}), scope);
  EXPECT_EQ(written, (Record{RecordType::kRepaired, std::string("\x29\0\0\0\0\0\0\0"
                                                                "\x28\0\0\0\0\0\0\0"
                                                                "\x07\0\0\0\0\0\0\0"
                                                                "\x09\0\0\0\0\0\0\0"
                                                                "\x0c\0\0\0\0\0\0\0"
                                                                "\x0d\0\0\0\0\0\0\0",
                                                                48)}));
  const auto read = decode_repair_scope(written.payload);
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(*read, scope);
  EXPECT_TRUE(scope.covers({Sequence(7), Sequence(8)}));
  EXPECT_TRUE(scope.covers({Sequence(12), Sequence(13)}));
  EXPECT_FALSE(scope.covers({Sequence(7), Sequence(10)}));
  EXPECT_FALSE(scope.covers({Sequence(6), Sequence(8)}));
  EXPECT_FALSE(scope.covers({Sequence(8), Sequence(13)}));
}

// What lacked stands in the order of the log, and a mark is at or above what it counts on.
TEST(ConsensusRecord, ARepairOfNothingThatCanBeIsRefused) {
  const auto refused = [](Slot through, const RepairScope& scope) {
    expect_refused(RecordType::kRepaired,
                   encode(paxos::Record(paxos::Repaired{through}), scope).payload, "a repair");
  };
  refused(Slot(3), {Slot(4), {}});
  refused(Slot(3), {Slot(0), {{Sequence(0), Sequence(1)}}});
  refused(Slot(3), {Slot(0), {{Sequence(2), Sequence(2)}}});
  refused(Slot(3), {Slot(0), {{Sequence(5), Sequence(6)}, {Sequence(2), Sequence(3)}}});
  const std::string whole =
      encode(paxos::Record(paxos::Repaired{Slot(3)}), {Slot(0), {{Sequence(5), Sequence(6)}}})
          .payload;
  for (std::size_t bytes = 0; bytes < whole.size(); ++bytes) {
    if (bytes == kRepairedPrefixBytes) continue;  // of no region
    expect_refused(RecordType::kRepaired, std::string_view(whole).substr(0, bytes), "a repair");
  }
}

TEST(ConsensusRecord, CutShortItIsRefused) {
  const std::vector<std::pair<Record, std::string>> whole = {
      {encode(paxos::Record(paxos::Promised{kBallot})), "a promise"},
      {encode(accepted("")), "an accepted value"},
      {encode(paxos::Record(paxos::ChosenMark{Slot(41)})), "a chosen mark"}};
  for (const auto& [record, what] : whole) {
    for (std::size_t bytes = 0; bytes < record.payload.size(); ++bytes) {
      expect_refused(record.type, std::string_view(record.payload).substr(0, bytes), what);
    }
  }
}

TEST(ConsensusRecord, BytesBehindItAreRefused) {
  expect_refused(RecordType::kPromised,
                 encode(paxos::Record(paxos::Promised{kBallot})).payload + 'x', "a promise");
  expect_refused(RecordType::kChosenMark,
                 encode(paxos::Record(paxos::ChosenMark{Slot(1)})).payload + 'x', "a chosen mark");
}

// Incarnations, rounds, replicas and slots count from 1.
TEST(ConsensusRecord, ZerosAreRefused) {
  const std::vector<Ballot> ballots = {{Incarnation(0), Round(1), ReplicaId(1)},
                                       {Incarnation(1), Round(0), ReplicaId(1)},
                                       {Incarnation(1), Round(1), ReplicaId(0)}};
  const auto none = paxos::make_value("");
  for (const Ballot& ballot : ballots) {
    expect_refused(RecordType::kPromised, encode(paxos::Record(paxos::Promised{ballot})).payload,
                   "a promise");
    expect_refused(RecordType::kAccepted,
                   encode(paxos::Record(paxos::Accepted{Slot(1), ballot, none})).payload,
                   "an accepted value");
  }
  expect_refused(RecordType::kAccepted,
                 encode(paxos::Record(paxos::Accepted{Slot(0), kBallot, none})).payload,
                 "an accepted value");
  expect_refused(RecordType::kChosenMark, encode(paxos::Record(paxos::ChosenMark{Slot(0)})).payload,
                 "a chosen mark");
}

// Whatever is read back is what would have been written.
TEST(ConsensusRecord, RandomBytesAreRefusedOrMeanThemselves) {
  std::mt19937_64 random(1);
  int read_back = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes(random() % 40, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random() % 3);
    const auto type = static_cast<RecordType>(3 + random() % 3);
    const auto record = decode_record(type, bytes);
    if (record) {
      ++read_back;
      EXPECT_EQ(encode(*record), (Record{type, bytes}));
    }
    const auto base = decode_base(bytes);
    if (base) {
      EXPECT_EQ(encode_base(*base).payload, bytes);
    }
  }
  EXPECT_GT(read_back, 1'000);
}

TEST(BaseRecord, SurvivesEncodingAndOtherBytesAreRefused) {
  const std::string whole = encode_base(Slot(42)).payload;
  EXPECT_EQ(decode_base(whole), Slot(42));
  for (std::size_t bytes = 0; bytes < whole.size(); ++bytes) {
    EXPECT_FALSE(decode_base(whole.substr(0, bytes)).has_value()) << bytes;
  }
  EXPECT_FALSE(decode_base(whole + 'x').has_value());
  EXPECT_FALSE(decode_base(encode_base(Slot(0)).payload).has_value());
}

}  // namespace
}  // namespace assent::storage
