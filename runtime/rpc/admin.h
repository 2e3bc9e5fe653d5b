// The admin port's service, the same in every process: how it is, and how its surroundings are.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/finding.h"

namespace apache::thrift::async {
class TAsyncProcessor;
}

namespace assent::wire {
class AdminCobSvIf;
}

namespace assent::rpc {

struct ProcessStatus {
  bool ready = false;                            // it serves all that it is for
  std::map<std::string, std::string> facts;      // in words, for example "cluster"
  std::map<std::string, std::int64_t> counters;  // docs/architecture.md names them
};

// Looks at everything that the process needs from others, and calls back.
using Doctor = std::function<void(std::function<void(Result<std::vector<Finding>>)>)>;

// What every process answers, to be built on by those that answer more. `status` and `doctor` are
// asked for each call, on the loop. Uptime counts from here.
std::shared_ptr<wire::AdminCobSvIf> admin_handler(std::string program,
                                                  std::function<ProcessStatus()> status,
                                                  Doctor doctor);

// The same, alone.
std::shared_ptr<apache::thrift::async::TAsyncProcessor> admin_processor(
    std::string program, std::function<ProcessStatus()> status, Doctor doctor);

}  // namespace assent::rpc
