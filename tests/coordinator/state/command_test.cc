#include "coordinator/state/command.h"

#include <gtest/gtest.h>

#include "base/codec.h"

namespace assent::state {
namespace {

TransactionId transaction(std::uint64_t number) {
  return make_transaction_id(LogTime(1'000'000), number, number, 7);
}

DecidedBranch branch(std::string participant) {
  return {std::move(participant), Epoch(3), Attempt(14), Evidence{900, ~0ULL, 2, 0x16'B374'D848}};
}

Error sql_error() {
  Error error{ErrorCode::kSql, "the insert failed", "orders"};
  error.sql =
      SqlError{"23505", "duplicate key", "Key (id)=(1)", "use another", "orders_pkey", 2, 8};
  error.leader = "10.0.0.1:7001";
  return error;
}

Member member(std::uint32_t id) {
  return {ReplicaId(id), ~0ULL - id, id == 3, "a:1", "b:2", ""};
}

Command committed_of_nobody() {
  return Committed{transaction(4), 42, {}};
}

Entry every_command() {
  return {
      LogTime(1'234'567),
      {OfficeTaken{{Incarnation(1), Round(2), ReplicaId(3)}},
       Committed{transaction(1), 42, {branch("orders"), branch("stock")}},
       Committed{transaction(4), 42, {}},
       Aborted{transaction(2), 0, sql_error(), {branch("orders")}},
       Aborted{transaction(3), 1, Error{ErrorCode::kDeadline, "late"}, {}},
       Forgotten{{transaction(1), transaction(2)}},
       Enrolled{"orders", "nonce", Epoch(2), {~0ULL, 16384}, 4, 99, "a:1", "b:2", true},
       Enrolled{"orders", "nonce", Epoch(2), {7, 8}, 4, 99, "a:1", "b:2", false, Tracking::kBreaks},
       Enrolled{"orders",
                "nonce",
                Epoch(2),
                {7, 8},
                4,
                99,
                "a:1",
                "b:2",
                false,
                Tracking::kLandmarks,
                77,
                true},
       Enrolled{
           "orders", "nonce", Epoch(2), {7, 8}, 4, 99, "a:1", "b:2", false, Tracking::kLandmarks},
       Enrolled{"orders",
                "nonce",
                Epoch(2),
                {7, 8},
                4,
                99,
                "a:1",
                "b:2",
                false,
                Tracking::kEveryBreak,
                77,
                true,
                88},
       LandmarkNoted{"orders", {Epoch(3), 1'000}},
       GroupFounded{{member(1), member(2)}},
       ReplicaAdded{member(3)},
       ReplicaPromoted{ReplicaId(3)},
       ReplicaRemoved{ReplicaId(1)},
       ReplicaMoved{member(2)},
       HeuristicFound{TransactionId{1, 2, 3},
                      Outcome::kCommitted,
                      2,
                      {"orders", Epoch(1), Attempt(2), {5, 6, 1, 7}},
                      FinishResult::kHeuristicRollback},
       HeuristicForgotten{TransactionId{1, 2, 3}, "operator", "mended by hand"},
       HeuristicResolved{TransactionId{1, 2, 3}, Outcome::kAborted, "operator", "seen"},
       UntoldForgotten{300, "operator", "seen in the log"},
       ParticipantDrained{"orders", "operator", "upgrade"},
       ParticipantResumed{"orders", "operator", "done"},
       ParticipantRemoved{"orders", "operator", "sold"}}};
}

TEST(EntryEncoding, EveryCommandComesBack) {
  const Entry entry = every_command();
  const Result<Entry> back = decode_entry(encode(entry));
  ASSERT_TRUE(back.has_value()) << back.error().message;
  EXPECT_EQ(*back, entry);
}

// A version that does not know groups that change can read what does not speak of them.
TEST(EntryEncoding, IsWrittenInTheFirstFormatThatKnowsIt) {
  EXPECT_EQ(encode({LogTime(1), {committed_of_nobody()}})[0], 1);
  EXPECT_EQ(encode({LogTime(1), {committed_of_nobody(), ReplicaRemoved{ReplicaId(1)}}})[0], 2);
  EXPECT_EQ(encode({LogTime(1), {HeuristicForgotten{}}})[0], 3);
  Enrolled life;
  for (const auto& [tracking, format] : {std::pair{Tracking::kNone, 1},
                                         {Tracking::kBreaks, 3},
                                         {Tracking::kLandmarks, 4},
                                         {Tracking::kEveryBreak, 6}}) {
    life.tracks_history = tracking;
    EXPECT_EQ(encode({LogTime(1), {life}})[0], format);
  }
  EXPECT_EQ(encode({LogTime(1), {LandmarkNoted{}}})[0], 4);
}

TEST(EntryEncoding, AnOldFormatHasNoNewCommand) {
  std::string bytes = encode({LogTime(1), {ReplicaRemoved{ReplicaId(1)}}});
  bytes[0] = 1;
  EXPECT_FALSE(decode_entry(bytes).has_value());
}

TEST(EntryEncoding, AGroupOfNobodyIsRefused) {
  for (const auto& members : {std::vector<Member>{}, {member(3)}, {member(1), member(1)}}) {
    EXPECT_FALSE(decode_entry(encode({LogTime(1), {GroupFounded{members}}})).has_value());
  }
}

TEST(EntryEncoding, AnEmptyEntryOfAnyTimeComesBack) {
  for (const std::int64_t time : {std::int64_t{0}, std::int64_t{-1}, INT64_MAX, INT64_MIN}) {
    const Entry entry{LogTime(time), {}};
    EXPECT_EQ(decode_entry(encode(entry)), entry);
  }
}

// What an agent made up must not make the log unreadable.
TEST(EntryEncoding, ReasonsThatMakeNoSenseComeBack) {
  Error odd = sql_error();
  odd.code = static_cast<ErrorCode>(250);
  odd.sql->statement_number = -1;
  odd.sql->position = INT32_MIN;
  odd.message = std::string("\0\xFF", 2);
  const Entry entry{LogTime(1), {Aborted{transaction(1), 0, odd, {}}}};
  EXPECT_EQ(decode_entry(encode(entry)), entry);
}

TEST(EntryEncoding, EveryTruncationIsRefused) {
  const std::string bytes = encode(every_command());
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    const Result<Entry> cut = decode_entry(std::string_view(bytes).substr(0, length));
    ASSERT_FALSE(cut.has_value()) << length;
    EXPECT_EQ(cut.error().code, ErrorCode::kInternal);
  }
}

TEST(EntryEncoding, TrailingBytesAreRefused) {
  EXPECT_FALSE(decode_entry(encode(every_command()) + '\0').has_value());
}

TEST(EntryEncoding, EveryOneByteChangeIsRefusedOrIsAnotherEntry) {
  const Entry entry = every_command();
  const std::string bytes = encode(entry);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    for (const int flip : {0x01, 0x80, 0xFF}) {
      std::string changed = bytes;
      changed[i] = static_cast<char>(changed[i] ^ flip);
      const Result<Entry> back = decode_entry(changed);
      if (back) {
        EXPECT_NE(*back, entry) << i;
      }
    }
  }
}

TEST(EntryEncoding, ANewerFormatIsRefusedByName) {
  std::string bytes = encode(every_command());
  bytes[0] = static_cast<char>(kEntryFormat + 1);
  const Result<Entry> newer = decode_entry(bytes);
  ASSERT_FALSE(newer.has_value());
  EXPECT_EQ(newer.error().code, ErrorCode::kUnsupportedVersion);
  EXPECT_EQ(newer.error().message,
            "log entry has format 7, this program reads up to 6: run the version that wrote it, or "
            "newer");
  bytes[0] = 0;  // of no version
  EXPECT_EQ(decode_entry(bytes).error().code, ErrorCode::kInternal);
}

TEST(EntryEncoding, ACountAboveTheBytesIsRefusedWithoutAllocating) {
  Encoder out;
  out.put_u8(kEntryFormat);
  out.put_u64(1);
  out.put_varint(1ULL << 60);
  EXPECT_FALSE(decode_entry(out.bytes()).has_value());
}

TEST(EntryEncoding, AnUnknownCommandIsRefused) {
  Encoder out;
  out.put_u8(kEntryFormat);
  out.put_u64(1);
  out.put_varint(1);
  out.put_u8(99);
  EXPECT_FALSE(decode_entry(out.bytes()).has_value());
}

}  // namespace
}  // namespace assent::state
