#include "coordinator/server/replica.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <utility>

#include "coordinator/server/group_log_options.h"
#include "coordinator/server/handlers.h"
#include "runtime/logging.h"
#include "runtime/process.h"

namespace assent::coordinator {
namespace {

// How long a clean stop waits for answers in flight: alone, nobody else can give them.
constexpr Millis kDrainAlone{10'000};
// With others, clients get the rest from the next leader.
constexpr Millis kDrainInGroup{1'000};
constexpr Millis kSuccessorMax{1'000};

}  // namespace

Term::Term(boost::asio::io_context& loop, const Config& config, GroupLog& log)
    : office(loop, config.cluster, log, {.budget = config.budget}, config.one_shots_max),
      lives(loop, config.cluster),
      enrolment(
          log, config.agent_silence, process::monotonic_now(),
          {.enrolled =
               [this](const std::string& participant, const std::string& address,
                      const std::string& nonce) { office.follow(participant, address, nonce); },
           .recovered = [this](const std::string& participant) { office.recovered(participant); },
           .ask_life =
               [this](const std::string& participant, const state::ParticipantRecord& life,
                      std::function<void(Presence)> done) {
                 lives.ask(participant, life, std::move(done));
               }}),
      commands(log),
      after(log.state().executed()),
      since(log.state().time()) {}

Term::~Term() {
  commands.lose_office();
  enrolment.lose_office();
  office.lose_office();
}

// As the log knows it; before the log does, as the configuration says.
std::optional<Member> Services::member(ReplicaId replica) const {
  if (const state::Member* known = log.state().membership().find(replica)) {
    return Member{known->client_address, known->peer_address, known->admin_address};
  }
  const auto found = config.group.find(replica);
  return found == config.group.end() ? std::nullopt : std::optional(found->second);
}

Error Services::not_leader(std::string Member::*port) const {
  Error out{ErrorCode::kNotLeader, "replica " + to_string(config.replica) + " does not lead"};
  const auto leader = log.leader();
  const std::optional<Member> leads = leader ? member(*leader) : std::nullopt;
  if (!leads || *leader == config.replica) {
    out.message += "; none is known that does: ask again, or another replica";
  } else {
    out.leader = (*leads).*port;
    out.message += "; replica " + to_string(*leader) +
                   (out.leader.empty() ? "" : " at " + out.leader) + " does";
  }
  return out;
}

commit::OfficeCounters Services::office_counters() const {
  commit::OfficeCounters out = past_terms;
  if (term) out += term->office.office().counters();
  return out;
}

Replica::Replica(boost::asio::io_context& loop, Config config,
                 std::function<void(const Error&)> refused)
    : loop_(loop),
      config_(std::move(config)),
      refused_(std::move(refused)),
      successor_(loop, [this] {
        if (office_gone_) std::exchange(office_gone_, nullptr)();
      }) {}

Replica::~Replica() = default;

Result<void> Replica::open() {
  GroupLogOptions options = group_log_options(loop_, config_);
  options.office_taken = [this] { take_office(); };
  options.office_lost = [this] { lose_office(); };
  options.refused = refused_;
  log_ = std::make_unique<GroupLog>(loop_, std::move(options));
  if (auto opened = log_->open(); !opened) return opened;
  log::info("log replayed", {{"records", std::to_string(log_->storage().replayed())},
                             {"slots", to_string(log_->state().executed())},
                             {"torn_bytes", std::to_string(log_->storage().torn_bytes())}});
  services_ = std::make_unique<Services>(Services{config_, *log_, nullptr, {}});
  ports_ = std::make_unique<rpc::Ports>(loop_, client_processor(*services_),
                                        peer_processor(*services_), admin_processor(*services_));
  auto listening =
      ports_->listen({config_.client_address, config_.peer_address, config_.admin_address});
  if (!listening) return listening;
  log::info("replica ready", {{"cluster", config_.cluster},
                              {"replica", to_string(config_.replica)},
                              {"group", std::to_string(config_.group.size())},
                              {"client", config_.client_address},
                              {"peer", config_.peer_address},
                              {"admin", config_.admin_address}});
  return {};
}

void Replica::take_office() {
  services_->term = std::make_unique<Term>(loop_, config_, *log_);
  services_->term->office.take_office();
  log::info("coordinator ready", {{"ballot", to_string(log_->ballot())}});
}

void Replica::lose_office() {
  services_->past_terms = services_->office_counters();
  services_->term.reset();
  if (office_gone_) std::exchange(office_gone_, nullptr)();
}

void Replica::drain(std::function<void()> done) {
  if (!ports_) return done();
  ports_->drain_clients(
      log_->consensus().group().members().size() > 1 ? kDrainInGroup : kDrainAlone,
      [this, done = std::move(done)] { leave(done); });
}

// Nobody is answered here any more. A successor that is asked to take over spares everyone the wait
// for an election.
void Replica::leave(std::function<void()> done) {
  const auto close = [this, done = std::move(done)] {
    ports_->drain_peers(kDrainInGroup, [this, done] { ports_->drain_admin(kDrainInGroup, done); });
  };
  if (log_->consensus().group().members().size() == 1 || !log_->serving()) return close();
  office_gone_ = close;
  successor_.arm(process::monotonic_now() + kSuccessorMax);
  log_->hand_over();
}

}  // namespace assent::coordinator
