// What one replica serves, put together: the log, the office and the three ports.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/error.h"
#include "coordinator/server/config.h"
#include "coordinator/server/enrolment.h"
#include "coordinator/server/office_runner.h"
#include "coordinator/storage/solo_log.h"
#include "runtime/rpc/ports.h"

namespace boost::asio {
class io_context;
}

namespace assent::coordinator {

// What the handlers of all ports work with. Lives as long as the ports.
struct Services {
  const Config& config;
  storage::SoloLog& log;
  OfficeRunner& office;
  Enrolment& enrolment;
};

class Replica {
 public:
  Replica(boost::asio::io_context& loop, Config config);
  ~Replica();

  // Replays the log, takes office, opens the ports. An error after open() (a port in use) goes to
  // `failed`, once; the caller ends the process.
  Result<void> open(std::function<void(Error)> failed);

  // Answers what is in flight, then closes the ports and calls `done`.
  void drain(std::function<void()> done);

 private:
  void serve();

  boost::asio::io_context& loop_;
  const Config config_;
  std::function<void(Error)> failed_;
  std::unique_ptr<storage::SoloLog> log_;
  std::unique_ptr<OfficeRunner> office_;
  std::unique_ptr<Enrolment> enrolment_;
  std::unique_ptr<Services> services_;
  std::unique_ptr<rpc::Ports> ports_;
};

}  // namespace assent::coordinator
