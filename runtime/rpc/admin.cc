#include "runtime/rpc/admin.h"

#include <unistd.h>

#include <utility>

#include "base/version.h"
#include "runtime/process.h"
#include "runtime/rpc/handler.h"
#include "wire/Admin.h"

namespace assent::rpc {
namespace {

wire::Verdict::type to_wire(Verdict verdict) {
  switch (verdict) {
    case Verdict::kGood:
      return wire::Verdict::GOOD;
    case Verdict::kWarning:
      return wire::Verdict::WARNING;
    case Verdict::kFailure:
      return wire::Verdict::FAILURE;
  }
  return wire::Verdict::FAILURE;
}

wire::DoctorReply to_wire(const std::vector<Finding>& findings) {
  auto out = versioned<wire::DoctorReply>();
  for (const Finding& finding : findings) {
    wire::Finding& told = out.findings.emplace_back();
    told.check = finding.check;
    told.verdict = to_wire(finding.verdict);
    told.found = finding.found;
    if (!finding.remedy.empty()) told.__set_remedy(finding.remedy);
  }
  return out;
}

class AdminHandler final : public wire::AdminCobSvIf {
 public:
  AdminHandler(std::string program, std::function<ProcessStatus()> status, Doctor doctor)
      : program_(std::move(program)), status_(std::move(status)), doctor_(std::move(doctor)) {}

  void process_status(Cob<wire::ProcessStatusReply> cob, ExnCob exn,
                      const wire::ProcessStatusRequest& request) override {
    answer(cob, exn, check_version(request.protocol_version).map([this] { return reply(); }));
  }

  void doctor(Cob<wire::DoctorReply> cob, ExnCob exn, const wire::DoctorRequest& request) override {
    if (auto version = check_version(request.protocol_version); !version) {
      return answer<wire::DoctorReply>(cob, exn, tl::unexpected(version.error()));
    }
    doctor_([cob, exn](Result<std::vector<Finding>> found) {
      answer(cob, exn,
             std::move(found).map([](const auto& findings) { return to_wire(findings); }));
    });
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
  const Doctor doctor_;
  const MonoTime started_ = process::monotonic_now();
};

}  // namespace

std::shared_ptr<wire::AdminCobSvIf> admin_handler(std::string program,
                                                  std::function<ProcessStatus()> status,
                                                  Doctor doctor) {
  return std::make_shared<AdminHandler>(std::move(program), std::move(status), std::move(doctor));
}

std::shared_ptr<apache::thrift::async::TAsyncProcessor> admin_processor(
    std::string program, std::function<ProcessStatus()> status, Doctor doctor) {
  return std::make_shared<wire::AdminAsyncProcessor>(
      admin_handler(std::move(program), std::move(status), std::move(doctor)));
}

}  // namespace assent::rpc
