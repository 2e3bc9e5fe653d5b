#include "coordinator/server/replica.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <utility>

#include "coordinator/server/handlers.h"
#include "runtime/logging.h"
#include "runtime/process.h"

namespace assent::coordinator {
namespace {

// How long a clean stop waits for answers in flight.
constexpr Millis kDrainMax{10'000};

}  // namespace

Replica::Replica(boost::asio::io_context& loop, Config config)
    : loop_(loop), config_(std::move(config)) {}

Replica::~Replica() = default;

Result<void> Replica::open(std::function<void(Error)> failed) {
  failed_ = std::move(failed);
  storage::SoloLogOptions options;
  options.post = [this](std::function<void()> work) { boost::asio::post(loop_, std::move(work)); };
  options.log.directory = config_.data_directory;
  options.log.post = options.post;
  options.state.retention = config_.retention;
  options.replica = config_.replica;
  options.monotonic_now = process::monotonic_now;
  options.wall_now_ms = process::wall_now_ms;
  auto opened = storage::SoloLog::open(std::move(options), [this] { serve(); });
  if (!opened) return tl::unexpected(opened.error());
  log_ = std::move(*opened);
  log::info("log replayed", {{"slots", std::to_string(log_->replayed())},
                             {"torn_bytes", std::to_string(log_->torn_bytes())},
                             {"ballot", to_string(log_->ballot())}});
  return {};
}

void Replica::serve() {
  office_ = std::make_unique<OfficeRunner>(loop_, config_.cluster, *log_, commit::OfficeOptions{});
  enrolment_ = std::make_unique<Enrolment>(
      *log_, config_.agent_silence, process::monotonic_now(),
      [this](const std::string& participant, const std::string& address) {
        office_->follow(participant, address);
      });
  services_ = std::make_unique<Services>(Services{config_, *log_, *office_, *enrolment_});
  ports_ = std::make_unique<rpc::Ports>(loop_, client_processor(*services_),
                                        peer_processor(*services_), admin_processor(*services_));
  const auto opened =
      ports_->listen({config_.client_address, config_.peer_address, config_.admin_address});
  if (!opened) return failed_(opened.error());
  office_->take_office();
  log::info("coordinator ready", {{"cluster", config_.cluster},
                                  {"replica", to_string(config_.replica)},
                                  {"client", config_.client_address},
                                  {"peer", config_.peer_address},
                                  {"admin", config_.admin_address}});
}

void Replica::drain(std::function<void()> done) {
  if (!ports_) return done();
  ports_->drain(kDrainMax,
                [this, done = std::move(done)] { ports_->drain_admin(kDrainMax, done); });
}

}  // namespace assent::coordinator
