#include "integration/workload/decisions.h"

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/ids.h"
#include "runtime/process.h"
#include "runtime/rpc/call.h"
#include "wire/Coordinator.h"
#include "wire/common_constants.h"

namespace assent::workload {
namespace {

constexpr Millis kHelloMax{2'000};
constexpr Millis kDecisionMax{10'000};
constexpr std::chrono::milliseconds kPause{20};  // before another try

}  // namespace

// One client: a connection to each coordinator, and the one that it believes to lead.
struct Decisions::Caller {
  Caller(boost::asio::io_context& loop, const std::vector<std::string>& coordinators)
      : pause(loop) {
    for (const auto& address : coordinators) {
      connections.push_back(std::make_unique<rpc::Client>(loop, address));
    }
  }

  // Follows the hint, or asks the next one.
  void move_on(const std::string& leader) {
    const auto hinted =
        std::find_if(connections.begin(), connections.end(),
                     [&](const auto& connection) { return connection->address() == leader; });
    believed = hinted != connections.end() ? static_cast<std::size_t>(hinted - connections.begin())
                                           : (believed + 1) % connections.size();
  }

  boost::asio::steady_timer pause;
  std::vector<std::unique_ptr<rpc::Client>> connections;
  std::size_t believed = 0;
};

Decisions::Decisions(DecisionOptions options)
    : options_(std::move(options)), loop_(1), random_(process::random_u64()) {
  CHECK(!options_.coordinators.empty() && options_.clients > 0, "somebody asks somebody");
}

Decisions::~Decisions() = default;

// Also learns the coordinator's time, from which ids are made (R17).
Result<std::string> Decisions::find_leader() {
  std::string leader;
  Error last{ErrorCode::kUnavailable, "nobody was asked"};
  std::vector<std::unique_ptr<rpc::Client>> asked;
  std::size_t open = 0;
  wire::HelloRequest request;
  request.protocol_version = wire::g_common_constants.PROTOCOL_VERSION;
  for (const auto& address : options_.coordinators) {
    asked.push_back(std::make_unique<rpc::Client>(loop_, address));
    ++open;
    ASSENT_CALL(wire::Coordinator, hello, wire::HelloReply)
    (*asked.back(), request, kHelloMax, [&, address](Result<wire::HelloReply> reply) {
      if (reply) {
        leader = address;
        told_ = LogTime(reply->now_ms);
        told_at_ = process::monotonic_now();
      } else {
        last = std::move(reply.error());
      }
      if (--open == 0 || reply) loop_.stop();
    });
  }
  loop_.run();
  loop_.restart();
  if (leader.empty()) return tl::unexpected(std::move(last));
  return leader;
}

Result<DecisionTally> Decisions::run() {
  const auto leader = find_leader();
  if (!leader) return tl::unexpected(leader.error());
  const auto began = Clock::now();
  last_decided_ = began;
  ends_at_ = began + std::chrono::duration_cast<Clock::duration>(
                         std::chrono::duration<double>(options_.seconds));
  for (std::size_t i = 0; i < options_.clients; ++i) {
    callers_.push_back(std::make_unique<Caller>(loop_, options_.coordinators));
    callers_.back()->move_on(*leader);
  }
  at_work_ = callers_.size();
  for (const auto& caller : callers_) begin(*caller);
  loop_.run();
  tally_.elapsed = Clock::now() - began;
  return std::move(tally_);
}

wire::AbortRequest Decisions::request() {
  const LogTime now = told_ + (process::monotonic_now() - told_at_);
  wire::AbortRequest request;
  request.protocol_version = wire::g_common_constants.PROTOCOL_VERSION;
  request.transaction =
      to_string(make_transaction_id(now, random_(), random_(), creator_tag("assent-bench")));
  request.__set_never_committed(true);
  return request;
}

void Decisions::begin(Caller& caller) {
  const bool enough = options_.count > 0 && begun_ >= options_.count;
  begun_ += enough ? 0 : 1;
  if (!enough) return decide(caller);
  if (--at_work_ == 0) loop_.stop();
}

void Decisions::decide(Caller& caller) {
  if (Clock::now() >= ends_at_) {
    if (--at_work_ == 0) loop_.stop();
    return;
  }
  ASSENT_CALL(wire::Coordinator, abort, wire::AbortReply)
  (*caller.connections[caller.believed], request(), kDecisionMax,
   [this, &caller, sent = Clock::now()](const Result<wire::AbortReply>& answer) {
     on_answer(caller, answer, sent);
   });
}

void Decisions::on_answer(Caller& caller, const Result<wire::AbortReply>& answer,
                          Clock::time_point sent) {
  const auto now = Clock::now();
  if (answer) {
    ++tally_.decided;
    const auto latency = std::chrono::duration_cast<std::chrono::microseconds>(now - sent);
    tally_.latency_us.add(static_cast<std::uint64_t>(latency.count()));
    tally_.longest_gap = std::max(tally_.longest_gap, now - last_decided_);
    last_decided_ = now;
    return begin(caller);
  }
  ++tally_.errors[key_of(answer.error())];
  caller.move_on(answer.error().leader);
  caller.pause.expires_after(kPause);
  caller.pause.async_wait([this, &caller](boost::system::error_code cancelled) {
    if (!cancelled) decide(caller);
  });
}

}  // namespace assent::workload
