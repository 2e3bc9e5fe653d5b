// The admin port of an agent: how this process is, what is prepared, what is known of a
// transaction.
#include <utility>

#include "participant/server/handlers.h"
#include "participant/server/insight_wire.h"
#include "runtime/process.h"
#include "runtime/rpc/admin.h"
#include "runtime/rpc/handler.h"
#include "runtime/rpc/ids.h"
#include "wire/AgentInsight.h"

namespace assent::participant {
namespace {

std::int64_t count(std::uint64_t value) {
  return static_cast<std::int64_t>(value);
}

void add_branches(rpc::ProcessStatus& out, const branch::BranchTable& table) {
  const branch::BranchCounters& counters = table.counters();
  out.facts["ballot"] = to_string(table.ballot());
  out.facts["new_branches"] = table.refuses() ? "refused: " + table.refuses()->message : "taken";
  out.counters.insert({{"branches_live", count(table.live_count())},
                       {"branches_opened", count(counters.opened)},
                       {"statements", count(counters.statements)},
                       {"voted_yes", count(counters.voted_yes)},
                       {"voted_no", count(counters.voted_no)},
                       {"voted_read_only", count(counters.voted_read_only)},
                       {"committed_one_phase", count(counters.committed_one_phase)},
                       {"one_shots", count(counters.one_shots)},
                       {"settled", count(counters.settled)},
                       {"cancelled", count(counters.cancelled)},
                       {"expired", count(counters.expired)},
                       {"committed", count(counters.committed)},
                       {"rolled_back", count(counters.rolled_back)},
                       {"idle_rolled_back", count(counters.idle_rolled_back)},
                       {"heuristic", count(counters.heuristic)}});
}

rpc::ProcessStatus status(const Services& services) {
  const postgres::DatabaseCounters& database = services.database.counters();
  rpc::ProcessStatus out{.ready = services.open && services.heard,
                         .facts = {{"cluster", services.config.cluster},
                                   {"participant", services.config.participant},
                                   {"epoch", to_string(services.enrolment.epoch)},
                                   {"coordinator", services.heard ? "heard" : "not heard"}},
                         .counters = {{"connects", count(database.connects)},
                                      {"connections_lost", count(database.connections_lost)},
                                      {"work_busy", count(database.work_busy)},
                                      {"work_waiting", count(database.work_waiting)},
                                      {"strangers", count(database.strangers)}}};
  if (services.branches) add_branches(out, services.branches->table());
  return out;
}

using rpc::answer;
using rpc::Cob;
using rpc::ExnCob;

class AdminHandler final : public wire::AgentInsightCobSvIf {
 public:
  explicit AdminHandler(Services& services)
      : services_(services),
        process_(rpc::admin_handler(
            "assent-agent", [&services] { return status(services); },
            [&services](auto done) { services.database.doctor(std::move(done)); })) {}

  void process_status(Cob<wire::ProcessStatusReply> cob, ExnCob exn,
                      const wire::ProcessStatusRequest& request) override {
    process_->process_status(std::move(cob), std::move(exn), request);
  }

  void doctor(Cob<wire::DoctorReply> cob, ExnCob exn, const wire::DoctorRequest& request) override {
    process_->doctor(std::move(cob), std::move(exn), request);
  }

  void prepared(Cob<wire::PreparedReply> cob, ExnCob exn,
                const wire::PreparedRequest& request) override {
    if (auto known = rpc::check_version(request.protocol_version); !known) {
      return answer<wire::PreparedReply>(cob, exn, tl::unexpected(known.error()));
    }
    services_.database.look([this, cob, exn](Result<postgres::PreparedView> seen) {
      answer(cob, exn, std::move(seen).map([this](const postgres::PreparedView& view) {
        auto reply = to_wire(view);
        reply.participant = services_.config.participant;
        reply.__set_cluster(services_.config.cluster);
        reply.epoch = count(services_.enrolment.epoch.value);
        return reply;
      }));
    });
  }

  // What stands in memory is told although the database cannot be asked.
  void trace(Cob<wire::TraceReply> cob, ExnCob exn, const wire::TraceRequest& request) override {
    const auto asked = rpc::check_version(request.protocol_version).and_then([&] {
      return rpc::transaction_from_wire(request.transaction);
    });
    if (!asked) return answer<wire::TraceReply>(cob, exn, tl::unexpected(asked.error()));
    services_.database.trace(*asked, [this, cob,
                                      transaction = *asked](Result<postgres::TraceView> seen) {
      auto reply = rpc::versioned<wire::TraceReply>();
      reply.participant = services_.config.participant;
      reply.__set_cluster(services_.config.cluster);
      reply.epoch = count(services_.enrolment.epoch.value);
      reply.now_ms = process::wall_now_ms();
      if (services_.branches) {
        const auto branch = services_.branches->table().view(transaction, process::monotonic_now());
        if (branch) reply.__set_branch(to_wire(*branch));
      }
      if (seen) {
        add(reply, *seen);
      } else {
        reply.__set_database_error(seen.error().message);
      }
      cob(reply);
    });
  }

 private:
  Services& services_;
  const std::shared_ptr<wire::AdminCobSvIf> process_;
};

}  // namespace

std::shared_ptr<apache::thrift::async::TAsyncProcessor> admin_processor(Services& services) {
  return std::make_shared<wire::AgentInsightAsyncProcessor>(
      std::make_shared<AdminHandler>(services));
}

}  // namespace assent::participant
