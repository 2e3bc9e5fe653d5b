#include "participant/server/registration.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <utility>

#include "runtime/logging.h"
#include "runtime/process.h"
#include "runtime/rpc/call.h"
#include "runtime/rpc/ids.h"
#include "wire/Replica.h"
#include "wire/common_constants.h"

namespace assent::participant {
namespace {

constexpr Millis kCallTimeout{2'000};
constexpr std::chrono::milliseconds kRetryEvery{200};

// True when asking again, here or at another replica, may get another answer.
bool may_pass(ErrorCode code) {
  return retryable(code) || code == ErrorCode::kInternal;
}

}  // namespace

class Registration::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(boost::asio::io_context& loop, const Config& config)
      : loop_(loop), config_(config), retry_(loop), beat_(loop) {
    const std::uint64_t words[2] = {process::random_u64(), process::random_u64()};
    nonce_.assign(reinterpret_cast<const char*>(words), sizeof(words));
    connect();
  }

  void enrol(const postgres::Position& position, Epoch stored_epoch, Done<Enrolment> done) {
    request_ = enrol_request(position, stored_epoch);
    enrolled_ = std::move(done);
    give_way_at_ = process::monotonic_now() + config_.displaced_wait;
    ask();
  }

  void keep_alive(Epoch epoch, std::function<void(Error)> displaced,
                  std::function<void(LogTime)> floor) {
    epoch_ = epoch;
    displaced_ = std::move(displaced);
    floor_ = std::move(floor);
    beat();
  }

  void leave(std::function<void()> done) {
    beat_.cancel();
    left_ = true;
    if (epoch_.value == 0) return done();
    heartbeat(true, [done = std::move(done)](const Result<wire::HeartbeatReply>&) { done(); });
  }

 private:
  wire::RegisterRequest enrol_request(const postgres::Position& position,
                                      Epoch stored_epoch) const {
    wire::RegisterRequest out;
    out.protocol_version = wire::g_common_constants.PROTOCOL_VERSION;
    out.cluster = config_.cluster;
    out.participant = config_.participant;
    out.nonce = nonce_;
    out.stored_epoch = static_cast<std::int64_t>(stored_epoch.value);
    out.identity.system_identifier = static_cast<std::int64_t>(position.system_identifier);
    out.identity.database_oid = static_cast<std::int64_t>(position.database_oid);
    out.timeline = static_cast<std::int32_t>(position.timeline);
    out.wal_position = static_cast<std::int64_t>(position.wal_position);
    out.client_address = config_.advertised_client_address;
    out.peer_address = config_.advertised_peer_address;
    out.__set_one_phase(config_.one_phase);
    return out;
  }

  void connect() {
    client_ = std::make_unique<rpc::Client>(
        loop_, config_.coordinators[replica_ % config_.coordinators.size()]);
  }

  // Another replica may be the one that serves.
  void rotate() {
    if (config_.coordinators.size() == 1) return;
    ++replica_;
    connect();
  }

  void ask() {
    ASSENT_CALL(wire::Registry, enroll, wire::RegisterReply)
    (*client_, request_, kCallTimeout,
     [this](Result<wire::RegisterReply> reply) { on_enrol_reply(std::move(reply)); });
  }

  void on_enrol_reply(Result<wire::RegisterReply> reply) {
    if (reply) {
      const auto ballot = rpc::from_wire(reply->ballot);
      const auto epoch = rpc::positive_from_wire(reply->epoch, "epoch");
      if (!ballot) return enrolled_(tl::unexpected(ballot.error()));
      if (!epoch) return enrolled_(tl::unexpected(epoch.error()));
      return enrolled_(Enrolment{Epoch(*epoch), *ballot});
    }
    const Error& error = reply.error();
    const bool wait_for_silence =
        error.code == ErrorCode::kDisplaced && process::monotonic_now() < give_way_at_;
    if (!may_pass(error.code) && !wait_for_silence) {
      return enrolled_(tl::unexpected(error));
    }
    if (error.message != last_complaint_) {
      log::warning("waiting for the coordinator",
                   {{"address", client_->address()}, {"why", error.message}});
      last_complaint_ = error.message;
    }
    retry_.expires_after(kRetryEvery);
    retry_.async_wait([self = shared_from_this()](boost::system::error_code failed) {
      if (failed) return;
      self->rotate();
      self->ask();
    });
  }

  void beat() {
    if (std::exchange(rotate_first_, false)) rotate();
    heartbeat(false, [this](const Result<wire::HeartbeatReply>& reply) {
      if (left_) return;
      if (reply) return floor_(LogTime(reply->floor_ms));
      if (reply.error().code == ErrorCode::kDisplaced) {
        left_ = true;
        beat_.cancel();
        return displaced_(reply.error());
      }
      log::debug("heartbeat not heard", {{"why", reply.error().message}});
      // Not here: this runs inside the client that rotate() replaces.
      rotate_first_ = true;
    });
    beat_.expires_after(std::chrono::milliseconds(config_.heartbeat_every.value));
    beat_.async_wait([self = shared_from_this()](boost::system::error_code failed) {
      if (!failed && !self->left_) self->beat();
    });
  }

  void heartbeat(bool leaving, Done<wire::HeartbeatReply> done) {
    wire::HeartbeatRequest request;
    request.protocol_version = wire::g_common_constants.PROTOCOL_VERSION;
    request.cluster = config_.cluster;
    request.participant = config_.participant;
    request.epoch = static_cast<std::int64_t>(epoch_.value);
    request.leaving = leaving;
    ASSENT_CALL(wire::Registry, heartbeat, wire::HeartbeatReply)
    (*client_, request, leaving ? Millis(500) : kCallTimeout, std::move(done));
  }

  boost::asio::io_context& loop_;
  const Config& config_;
  boost::asio::steady_timer retry_;
  boost::asio::steady_timer beat_;
  std::unique_ptr<rpc::Client> client_;
  std::size_t replica_ = 0;
  std::string nonce_;

  wire::RegisterRequest request_;
  Done<Enrolment> enrolled_;
  MonoTime give_way_at_;
  std::string last_complaint_;

  Epoch epoch_;
  std::function<void(Error)> displaced_;
  std::function<void(LogTime)> floor_;
  bool left_ = false;
  bool rotate_first_ = false;
};

Registration::Registration(boost::asio::io_context& loop, const Config& config)
    : impl_(std::make_shared<Impl>(loop, config)) {}

Registration::~Registration() = default;

void Registration::enrol(const postgres::Position& position, Epoch stored_epoch,
                         Done<Enrolment> done) {
  impl_->enrol(position, stored_epoch, std::move(done));
}

void Registration::keep_alive(Epoch epoch, std::function<void(Error)> displaced,
                              std::function<void(LogTime)> floor) {
  impl_->keep_alive(epoch, std::move(displaced), std::move(floor));
}

void Registration::leave(std::function<void()> done) {
  impl_->leave(std::move(done));
}

}  // namespace assent::participant
