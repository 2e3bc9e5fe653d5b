#include "participant/server/registration.h"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "runtime/logging.h"
#include "runtime/process.h"
#include "runtime/rpc/call.h"
#include "runtime/rpc/errors.h"
#include "runtime/rpc/ids.h"
#include "runtime/rpc/replicas.h"
#include "wire/Replica.h"
#include "wire/common_constants.h"

namespace assent::participant {
namespace {

constexpr Millis kEnrolMax{2'000};  // through the log
constexpr Millis kLeaveMax{500};
constexpr Millis kConnectMax{500};  // a host that is gone must not cost seconds
constexpr Millis kRetryEvery{50};   // an election takes a few of these
constexpr std::size_t kComplaintsMax = 100;
// An election, or one lost heartbeat, is no silence yet.
constexpr std::int64_t kSilentBeats = 5;
constexpr Millis kComplainEvery{60'000};

// True when asking again, here or at another replica, may get another answer.
bool may_pass(ErrorCode code) {
  return retryable(code) || code == ErrorCode::kInternal;
}

// A leader that is silent for longer is asked no more: the next one must hear of this life in time.
Millis heartbeat_max(const Config& config) {
  return std::clamp(config.heartbeat_every, Millis(200), Millis(1'000));
}

}  // namespace

class Registration::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(boost::asio::io_context& loop, const Config& config)
      : loop_(loop), config_(config), replicas_(config.coordinators), timer_(loop) {
    const std::uint64_t words[2] = {process::random_u64(), process::random_u64()};
    nonce_.assign(reinterpret_cast<const char*>(words), sizeof(words));
  }

  void enrol(const FoundDatabase& found, Done<Enrolment> done) {
    request_ = enrol_request(found);
    enrolled_ = std::move(done);
    give_way_at_ = process::monotonic_now() + config_.displaced_wait;
    ask();
  }

  void keep_alive(Epoch epoch, std::function<void(Error)> displaced,
                  std::function<void(LogTime)> floor) {
    epoch_ = epoch;
    recovered_ = true;
    heard_at_ = process::monotonic_now();
    displaced_ = std::move(displaced);
    floor_ = std::move(floor);
    beat();
  }

  void recovered() {
    recovered_ = true;
    if (beating_ || left_) return;
    timer_.cancel();
    beat();
  }

  [[nodiscard]] const std::string& nonce() const { return nonce_; }

  void on_heard(std::function<void(bool heard)> observer) { heard_ = std::move(observer); }

  void on_landmark(std::function<std::uint64_t()> asked) { landmark_ = std::move(asked); }

  void on_admission(std::function<void(Ballot, std::optional<Error>)> observer) {
    admission_ = std::move(observer);
  }

  void leave(std::function<void()> done) {
    stop();
    if (epoch_.value == 0) return done();
    say_that_it_leaves(process::monotonic_now() + kLeaveMax, std::move(done));
  }

  // No heartbeat any more, and no further try to enrol.
  void stop() {
    left_ = true;
    timer_.cancel();
  }

 private:
  wire::RegisterRequest enrol_request(const FoundDatabase& found) const {
    const postgres::Position& position = found.position;
    wire::RegisterRequest out;
    out.protocol_version = wire::g_common_constants.PROTOCOL_VERSION;
    out.cluster = config_.cluster;
    out.participant = config_.participant;
    out.nonce = nonce_;
    out.stored_epoch = static_cast<std::int64_t>(found.stored_epoch.value);
    out.identity.system_identifier = static_cast<std::int64_t>(position.system_identifier);
    out.identity.database_oid = static_cast<std::int64_t>(position.database_oid);
    out.timeline = static_cast<std::int32_t>(position.timeline);
    out.wal_position = static_cast<std::int64_t>(position.wal_position);
    out.client_address = config_.advertised_client_address;
    out.peer_address = config_.advertised_peer_address;
    out.__set_one_phase(config_.one_phase);
    out.__set_landmark(static_cast<std::int64_t>(found.landmark.wal_position));
    if (found.landmark.left_at > 0) {
      out.__set_left_at(static_cast<std::int64_t>(found.landmark.left_at));
    }
    if (config_.takeover) out.__set_takeover(true);
    return out;
  }

  // ── whom to ask ───────────────────────────────────────────────────────────────────────────────

  // Kept once made: calls may be in flight on it, and addresses are few.
  rpc::Client& connection(const std::string& address) {
    auto& connection = connections_[address];
    if (!connection) {
      connection = std::make_unique<rpc::Client>(loop_, address,
                                                 rpc::ClientLimits{.connect_max = kConnectMax});
    }
    return *connection;
  }

  // After a refusal by the replica at `address`: at another one if it does not lead, at once if
  // that one was named as the leader. Who is sent on a second time has met an election, and pauses.
  void try_again(const std::string& address, const Error& error, void (Impl::*act)()) {
    const bool leads = error.code == ErrorCode::kDisplaced || error.code == ErrorCode::kOverloaded;
    const bool known = !leads && replicas_.failed(address, error.leader);
    hinted_ = known && !hinted_;
    after(hinted_ ? Millis(0) : kRetryEvery, act);
  }

  void after(Millis pause, void (Impl::*act)()) {
    timer_.expires_after(std::chrono::milliseconds(pause.value));
    timer_.async_wait([self = shared_from_this(), act](boost::system::error_code cancelled) {
      if (!cancelled && !self->left_) (self.get()->*act)();
    });
  }

  // Once for each that was not heard before: replicas take turns in saying that they do not lead.
  void complain(const std::string& address, const std::string& why) {
    if (complaints_.size() >= kComplaintsMax) complaints_.clear();
    if (!complaints_.insert(why).second) return;
    log::warning("waiting for the coordinator", {{"address", address}, {"why", why}});
  }

  // ── enrolment ─────────────────────────────────────────────────────────────────────────────────

  void ask() {
    const std::string address = replicas_.current();
    ASSENT_CALL(wire::Registry, enroll, wire::RegisterReply)
    (connection(address), request_, kEnrolMax, [this, address](Result<wire::RegisterReply> reply) {
      on_enrol_reply(address, std::move(reply));
    });
  }

  void on_enrol_reply(const std::string& address, Result<wire::RegisterReply> reply) {
    if (left_) return;
    if (reply) {
      const auto ballot = rpc::from_wire(reply->ballot);
      const auto epoch = rpc::positive_from_wire(reply->epoch, "epoch");
      if (!ballot) return enrolled_(tl::unexpected(ballot.error()));
      if (!epoch) return enrolled_(tl::unexpected(epoch.error()));
      complaints_.clear();
      return enrolled_(Enrolment{Epoch(*epoch), *ballot, refuses(*reply)});
    }
    const Error& error = reply.error();
    const bool wait_for_silence =
        error.code == ErrorCode::kDisplaced && process::monotonic_now() < give_way_at_;
    if (!may_pass(error.code) && !wait_for_silence) {
      return enrolled_(tl::unexpected(error));
    }
    complain(address, error.message);
    try_again(address, error, &Impl::ask);
  }

  // ── heartbeats ────────────────────────────────────────────────────────────────────────────────

  void beat() {
    if (beating_) return;
    const MonoTime next = process::monotonic_now() + config_.heartbeat_every;
    const std::string address = replicas_.current();
    beating_ = true;
    const bool told = std::exchange(recovered_, false);
    heartbeat(address, {.recovered = told}, [=, this](const Result<wire::HeartbeatReply>& reply) {
      beating_ = false;
      if (left_) return;
      if (reply) {
        hinted_ = false;
        note_answer();
        // It may have recovered while this one was on its way.
        const Millis pause = recovered_ ? Millis(0) : next - process::monotonic_now();
        after(std::max(pause, Millis(0)), &Impl::beat);
        note_admission(*reply);
        return floor_(LogTime(reply->floor_ms));
      }
      recovered_ = recovered_ || told;
      // The coordinator was restored from a backup that knows nothing of this life (R15): the next
      // life enrols.
      const bool unknown = reply.error().code == ErrorCode::kUnknownParticipant;
      if (unknown || reply.error().code == ErrorCode::kDisplaced) {
        stop();
        return displaced_(reply.error());
      }
      log::debug("heartbeat not heard", {{"address", address}, {"why", reply.error().message}});
      note_silence(address, reply.error().message);
      try_again(address, reply.error(), &Impl::beat);
    });
  }

  template <class Reply>
  static std::optional<Error> refuses(const Reply& reply) {
    return reply.__isset.refuses ? std::optional(rpc::from_wire(reply.refuses)) : std::nullopt;
  }

  // A coordinator of an older version tells no ballot, and refuses nothing.
  void note_admission(const wire::HeartbeatReply& reply) {
    if (!reply.__isset.ballot) return;
    if (const auto ballot = rpc::from_wire(reply.ballot)) admission_(*ballot, refuses(reply));
  }

  void note_answer() {
    const MonoTime now = process::monotonic_now();
    if (complained_at_) {
      log::info("the coordinator is heard again",
                {{"after_ms", std::to_string((now - heard_at_).value)}});
      heard_(true);
    }
    complained_at_.reset();
    heard_at_ = now;
  }

  // Branches stay prepared and hold their locks meanwhile: an operator has to know.
  void note_silence(const std::string& address, const std::string& why) {
    const MonoTime now = process::monotonic_now();
    const Millis silence = now - heard_at_;
    if (silence < Millis(kSilentBeats * config_.heartbeat_every.value)) return;
    if (complained_at_ && now - *complained_at_ < kComplainEvery) return;
    const bool first = !complained_at_;
    complained_at_ = now;
    log::warning(
        "the coordinator is not heard: no transaction ends here; see that its replicas run and are "
        "reached from here",
        {{"for_ms", std::to_string(silence.value)}, {"address", address}, {"why", why}});
    if (first) heard_(false);
  }

  void say_that_it_leaves(MonoTime deadline, std::function<void()> done) {
    const std::string address = replicas_.current();
    heartbeat(address, {.leaving = true}, [=, this](const Result<wire::HeartbeatReply>& reply) {
      const bool elsewhere = !reply && reply.error().code == ErrorCode::kNotLeader &&
                             replicas_.failed(address, reply.error().leader);
      if (!elsewhere || process::monotonic_now() >= deadline) return done();
      say_that_it_leaves(deadline, done);
    });
  }

  struct Beat {
    bool leaving = false;
    bool recovered = false;
  };

  void heartbeat(const std::string& address, Beat beat, Done<wire::HeartbeatReply> done) {
    wire::HeartbeatRequest request;
    request.protocol_version = wire::g_common_constants.PROTOCOL_VERSION;
    request.cluster = config_.cluster;
    request.participant = config_.participant;
    request.epoch = static_cast<std::int64_t>(epoch_.value);
    request.leaving = beat.leaving;
    if (beat.recovered) request.__set_recovered(true);
    const std::uint64_t landmark = landmark_();
    if (landmark > 0) request.__set_landmark(static_cast<std::int64_t>(landmark));
    request.__set_admin_address(config_.advertised_admin_address);
    ASSENT_CALL(wire::Registry, heartbeat, wire::HeartbeatReply)
    (connection(address), request, beat.leaving ? kLeaveMax : heartbeat_max(config_),
     std::move(done));
  }

  boost::asio::io_context& loop_;
  const Config& config_;
  rpc::Replicas replicas_;
  std::map<std::string, std::unique_ptr<rpc::Client>> connections_;  // by address
  boost::asio::steady_timer timer_;  // of the next try to enrol, later of the next heartbeat
  std::string nonce_;
  bool hinted_ = false;  // the next try goes to a replica that was named as the leader
  bool left_ = false;
  bool beating_ = false;    // a heartbeat waits for its answer
  bool recovered_ = false;  // and no leader has heard it yet

  wire::RegisterRequest request_;
  Done<Enrolment> enrolled_;
  MonoTime give_way_at_;
  std::set<std::string> complaints_;  // logged since the last success

  Epoch epoch_;
  MonoTime heard_at_;                      // when a leader answered last
  std::optional<MonoTime> complained_at_;  // of the present silence
  std::function<void(bool heard)> heard_ = [](bool) {};
  std::function<std::uint64_t()> landmark_ = [] { return std::uint64_t{0}; };
  std::function<void(Ballot, std::optional<Error>)> admission_ = [](Ballot, std::optional<Error>) {
  };
  std::function<void(Error)> displaced_;
  std::function<void(LogTime)> floor_;
};

Registration::Registration(boost::asio::io_context& loop, const Config& config)
    : impl_(std::make_shared<Impl>(loop, config)) {}

Registration::~Registration() {
  impl_->stop();
}

void Registration::enrol(const FoundDatabase& found, Done<Enrolment> done) {
  impl_->enrol(found, std::move(done));
}

void Registration::keep_alive(Epoch epoch, std::function<void(Error)> displaced,
                              std::function<void(LogTime)> floor) {
  impl_->keep_alive(epoch, std::move(displaced), std::move(floor));
}

void Registration::recovered() {
  impl_->recovered();
}

void Registration::on_heard(std::function<void(bool heard)> observer) {
  impl_->on_heard(std::move(observer));
}

void Registration::on_admission(
    std::function<void(Ballot, std::optional<Error> refuses)> observer) {
  impl_->on_admission(std::move(observer));
}

void Registration::on_landmark(std::function<std::uint64_t()> asked) {
  impl_->on_landmark(std::move(asked));
}

const std::string& Registration::nonce() const {
  return impl_->nonce();
}

void Registration::leave(std::function<void()> done) {
  impl_->leave(std::move(done));
}

}  // namespace assent::participant
