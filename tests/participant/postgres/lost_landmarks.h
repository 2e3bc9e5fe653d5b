// Lives whose branches no landmark covers, as after a death within a second of the last write.
#pragma once

#include "tests/participant/postgres/database_fixture.h"

namespace assent::postgres {

// Takes every landmark far back. Precondition: no agent lives; what one has left in its sockets may
// still be under way.
inline void lose_landmarks(testing::Admin& admin, Loop& loop) {
  EXPECT_TRUE(loop.run_until([&] {
    return admin.value(
               "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
               " AND usename IN ('assent_agent', 'assent_work')") == "0";
  }));
  admin.query("UPDATE assent.landmark SET wal_position = '0/1'");
}

}  // namespace assent::postgres
