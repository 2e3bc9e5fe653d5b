#include "coordinator/storage/entry_record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace assent::storage {
namespace {

using ::testing::HasSubstr;

const Ballot kBallot{Incarnation(1), Round(7), ReplicaId(3)};
const state::Entry kEntry{LogTime(123'456), {state::OfficeTaken{kBallot}}};

TEST(EntryRecord, SurvivesEncoding) {
  const std::string payload = encode_entry_record(Slot(42), kBallot, state::encode(kEntry));

  const auto record = decode_entry_record(payload);

  ASSERT_TRUE(record.has_value()) << record.error().message;
  EXPECT_EQ(record->slot, Slot(42));
  EXPECT_EQ(record->ballot, kBallot);
  EXPECT_EQ(record->entry, kEntry);
}

TEST(EntryRecord, CutShortAnywhereIsRefused) {
  const std::string payload = encode_entry_record(Slot(42), kBallot, state::encode(kEntry));
  for (std::size_t bytes = 0; bytes < payload.size(); ++bytes) {
    EXPECT_FALSE(decode_entry_record(std::string_view(payload).substr(0, bytes)).has_value())
        << bytes;
  }
}

TEST(EntryRecord, SaysThatItIsTooShort) {
  const auto record = decode_entry_record("short");
  ASSERT_FALSE(record.has_value());
  EXPECT_THAT(record.error().message, HasSubstr("too short for a slot and a ballot"));
}

}  // namespace
}  // namespace assent::storage
