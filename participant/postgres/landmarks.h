// Landmarks: rows of assent.landmark by which a history of the database is known again
// (postgres.md, "Landmarks").
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "participant/postgres/context.h"
#include "participant/postgres/control.h"
#include "participant/postgres/database.h"

namespace assent::postgres {

// A row of assent.landmark. Who finds it in a database has all WAL before `wal_position` of the
// history in which that life wrote it.
struct Landmark {
  std::uint64_t wal_position = 0;
  std::uint32_t timeline = 0;
  std::string postmaster;     // the start of the server that had it written
  bool outcome_rows = false;  // every branch that this life prepared writes its outcome row
  std::uint64_t left_at = 0;  // where a promoted standby left `timeline`; 0: that is not known
};

// Asks for the landmark of one life. No row: it left none.
Command landmark_query(Epoch epoch);
Landmark read_landmark(const std::vector<Value>& row);

// On a standby that was just promoted it is noted first where the standby left that life's
// timeline. Precondition: the database is identified.
boost::asio::awaitable<Result<StoredLandmark>> stored_landmark(std::shared_ptr<Context> context,
                                                               std::shared_ptr<Control> control,
                                                               Epoch epoch);

// Writes the landmark of this life at the present position, durable on the synchronous standby as
// well when this ends without an error. Precondition: the epoch is claimed.
boost::asio::awaitable<Result<void>> write_landmark(std::shared_ptr<Context> context,
                                                    std::shared_ptr<Control> control);

// Keeps this life's landmark close behind its branches: one write a second, up to ten where many
// branches are prepared and ended, and none when none was since the last two.
class Landmarks : public std::enable_shared_from_this<Landmarks> {
 public:
  Landmarks(std::shared_ptr<Context> context, std::shared_ptr<Control> control);

  // A branch was prepared or has ended, or the server was started again.
  void follow();

 private:
  boost::asio::awaitable<void> write();
  boost::asio::awaitable<void> wait();

  const std::shared_ptr<Context> context_;
  const std::shared_ptr<Control> control_;
  int due_ = 0;
  int behind_ = 0;  // so many branches were prepared or have ended since the last write
  bool writing_ = false;
};

}  // namespace assent::postgres
