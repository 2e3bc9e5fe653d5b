#include "runtime/rpc/errors.h"

#include <gtest/gtest.h>

namespace assent::rpc {
namespace {

SqlError sql_error(const std::string& sqlstate) {
  SqlError error;
  error.sqlstate = sqlstate;
  return error;
}

TEST(Errors, EveryCodeSurvivesTheWireUnderItsName) {
  for (int number = 1; number <= static_cast<int>(ErrorCode::kInternal); ++number) {
    Error error{static_cast<ErrorCode>(number), "a sentence"};
    if (error.code == ErrorCode::kSql) error.sql = sql_error("40001");

    const wire::AssentError on_wire = to_wire(error);

    EXPECT_EQ(from_wire(on_wire), error);
    EXPECT_EQ(wire::to_string(on_wire.code), name(error.code));
    EXPECT_EQ(on_wire.retryable, retryable(error));
  }
}

TEST(Errors, EveryDetailSurvivesTheWire) {
  const Error error{ErrorCode::kSql, "duplicate key", "orders",
                    SqlError{.sqlstate = "23505",
                             .message = "duplicate key",
                             .detail = "Key (id)=(1) already exists.",
                             .hint = "choose another",
                             .constraint_name = "orders_pkey",
                             .statement_number = 3,
                             .position = 17},
                    "127.0.0.1:7001"};

  EXPECT_EQ(from_wire(to_wire(error)), error);
}

TEST(Errors, TheOfficeOfALeaderSurvivesTheWire) {
  Error error{ErrorCode::kNotLeader, "another office"};
  error.office = 7;

  EXPECT_EQ(from_wire(to_wire(error)), error);
}

TEST(Errors, WhatIsEmptyIsAbsentOnTheWire) {
  const wire::AssentError on_wire = to_wire({ErrorCode::kSql, "failed", "", sql_error("22012")});

  EXPECT_FALSE(on_wire.__isset.participant);
  EXPECT_FALSE(on_wire.__isset.leader);
  EXPECT_FALSE(on_wire.__isset.office);
  EXPECT_FALSE(on_wire.sql.__isset.detail);
  EXPECT_FALSE(on_wire.sql.__isset.hint);
  EXPECT_FALSE(on_wire.sql.__isset.position);
  EXPECT_FALSE(on_wire.sql.__isset.constraint_name);
}

TEST(Errors, ACodeOfANewerPeerIsAFaultWithoutAName) {
  wire::AssentError on_wire;
  on_wire.code = static_cast<wire::ErrorCode::type>(99);
  on_wire.message = "something new";

  const Error error = from_wire(on_wire);

  EXPECT_EQ(error.code, ErrorCode::kInternal);
  EXPECT_EQ(error.message, "something new");
}

}  // namespace
}  // namespace assent::rpc
