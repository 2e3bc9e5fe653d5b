#include "runtime/rpc/admin.h"

#include <unistd.h>

#include <utility>

#include "base/version.h"
#include "runtime/process.h"
#include "runtime/rpc/handler.h"
#include "wire/Admin.h"

namespace assent::rpc {
namespace {

class AdminHandler final : public wire::AdminCobSvIf {
 public:
  AdminHandler(std::string program, std::function<ProcessStatus()> status)
      : program_(std::move(program)), status_(std::move(status)) {}

  void process_status(Cob<wire::ProcessStatusReply> cob, ExnCob exn,
                      const wire::ProcessStatusRequest& request) override {
    answer(cob, exn, check_version(request.protocol_version).map([this] { return reply(); }));
  }

 private:
  wire::ProcessStatusReply reply() const {
    ProcessStatus status = status_();
    auto out = versioned<wire::ProcessStatusReply>();
    out.program = program_;
    out.version = kVersion;
    out.pid = getpid();
    out.uptime_ms = (process::monotonic_now() - started_).value;
    out.ready = status.ready;
    out.facts = std::move(status.facts);
    out.counters = std::move(status.counters);
    return out;
  }

  const std::string program_;
  const std::function<ProcessStatus()> status_;
  const MonoTime started_ = process::monotonic_now();
};

}  // namespace

std::shared_ptr<apache::thrift::async::TAsyncProcessor> admin_processor(
    std::string program, std::function<ProcessStatus()> status) {
  return std::make_shared<wire::AdminAsyncProcessor>(
      std::make_shared<AdminHandler>(std::move(program), std::move(status)));
}

}  // namespace assent::rpc
