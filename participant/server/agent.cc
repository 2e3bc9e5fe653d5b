#include "participant/server/agent.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <utility>

#include "participant/postgres/libpq_connection.h"
#include "participant/server/handlers.h"
#include "runtime/failpoint.h"
#include "runtime/logging.h"
#include "runtime/process.h"

namespace assent::participant {
namespace {

constexpr Millis kDrainMax{10'000};
constexpr std::chrono::milliseconds kRetryEvery{200};

constexpr int kLooksMax = 10;

}  // namespace

struct Agent::Retry {
  explicit Retry(boost::asio::io_context& loop) : timer(loop) {}

  boost::asio::steady_timer timer;
  std::string last_complaint;
};

Agent::Agent(boost::asio::io_context& loop, Config config)
    : loop_(loop),
      config_(std::move(config)),
      database_(loop, config_.database, postgres::LibpqConnection::open),
      registration_(loop, config_),
      services_{config_, database_, {}, nullptr, false},
      ports_(loop, client_processor(services_), peer_processor(services_),
             admin_processor(services_)),
      retry_(std::make_unique<Retry>(loop)) {
  services_.nonce = registration_.nonce();
  registration_.on_heard([this](bool heard) { services_.heard = heard; });
  registration_.on_landmark([this] { return database_.landmark(); });
  registration_.on_admission([this](Ballot ballot, std::optional<Error> refuses) {
    services_.branches->admit({ballot, std::move(refuses)});
  });
}

Agent::~Agent() = default;

Result<void> Agent::start(std::function<void(Error)> failed) {
  failed_ = std::move(failed);
  return ports_.listen({config_.client_address, config_.peer_address, config_.admin_address})
      .map([this] { identify(); });
}

void Agent::identify() {
  database_.identify([this](Result<postgres::Position> position) {
    if (!position) return retry_or_fail(position.error(), &Agent::identify);
    find_stored(*position);
  });
}

void Agent::find_stored(const postgres::Position& position) {
  database_.stored_epoch([this, position](Result<Epoch> stored) {
    if (!stored) return retry_or_fail(stored.error(), &Agent::identify);
    database_.stored_landmark(*stored,
                              [this, position, stored](Result<postgres::StoredLandmark> landmark) {
                                if (!landmark)
                                  return retry_or_fail(landmark.error(), &Agent::identify);
                                enrol({position, *stored, *landmark});
                              });
  });
}

void Agent::enrol(const FoundDatabase& found) {
  registration_.enrol(found, [this, stored = found.stored_epoch](Result<Enrolment> enrolment) {
    if (!enrolment) return enrolment_refused(enrolment.error());
    failpoint("agent.epoch.issued");
    claim_epoch(stored, *enrolment);
  });
}

// The database seems to have gone back behind what the log knows of it. Perhaps it was looked at
// before an earlier life did the last of that, which may have gone on while this one waited for it
// to be silent. What the log knew then is in the database by now, or it is lost. It may wait more
// than once: for a life that is heard again, or for one that came in between.
void Agent::enrolment_refused(const Error& error) {
  if (error.code != ErrorCode::kIdentityMismatch || looks_ == kLooksMax) return fail(error);
  ++looks_;
  identify();
}

void Agent::claim_epoch(Epoch stored, const Enrolment& enrolment) {
  database_.claim_epoch(stored, enrolment.epoch, [this, enrolment](Result<void> claimed) {
    // A repeat from the beginning is answered with the same epoch: the nonce is the same.
    if (!claimed) return retry_or_fail(claimed.error(), &Agent::identify);
    failpoint("agent.epoch.claimed");
    serve(enrolment);
  });
}

void Agent::serve(const Enrolment& enrolment) {
  services_.enrolment = enrolment;
  services_.branches = std::make_unique<BranchRunner>(
      loop_, database_,
      branch::BranchTableOptions{.participant = config_.participant, .epoch = enrolment.epoch},
      enrolment.ballot);
  services_.branches->admit({enrolment.ballot, enrolment.refuses});
  const auto over = [this](const Error& error) { fail(error); };
  database_.on_over(over);
  registration_.keep_alive(enrolment.epoch, over,
                           [this](LogTime floor) { database_.drop_outcomes(floor); });
  database_.on_reconnected([this] { registration_.recovered(); });
  log::info("agent enrolled", {{"participant", config_.participant},
                               {"epoch", to_string(enrolment.epoch)},
                               {"ballot", to_string(enrolment.ballot)}});
  failpoint("agent.enrolled");
  fence();
}

void Agent::fence() {
  // Finishing is served already: two agents that first resolved what their earlier lives left would
  // wait for each other after a power cut. Only new branches wait.
  database_.fence_older_lives([this](Result<void> fenced) {
    if (!fenced) return retry_or_fail(fenced.error(), &Agent::fence);
    failpoint("agent.fence.complete");
    services_.open = true;
    registration_.recovered();  // what a backend of an older life prepared until now is seen
    log::info("agent ready", {{"participant", config_.participant},
                              {"epoch", to_string(services_.enrolment.epoch)},
                              {"client", config_.client_address},
                              {"peer", config_.peer_address},
                              {"admin", config_.admin_address}});
  });
}

void Agent::retry_or_fail(const Error& error, void (Agent::*again)()) {
  if (!retryable(error)) return fail(error);
  if (error.message != retry_->last_complaint) {
    log::warning("waiting for the database", {{"why", error.message}});
    retry_->last_complaint = error.message;
  }
  retry_->timer.expires_after(kRetryEvery);
  retry_->timer.async_wait([this, again](boost::system::error_code cancelled) {
    if (!cancelled) (this->*again)();
  });
}

void Agent::fail(const Error& error) {
  services_.open = false;
  if (auto failed = std::exchange(failed_, nullptr)) failed(error);
}

void Agent::drain(std::function<void()> done) {
  services_.open = false;
  retry_->timer.cancel();
  ports_.drain(kDrainMax, [this, done = std::move(done)] {
    registration_.leave([this, done] {
      database_.close();
      ports_.drain_admin(kDrainMax, done);
    });
  });
}

}  // namespace assent::participant
