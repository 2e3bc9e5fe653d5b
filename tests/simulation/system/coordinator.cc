#include "tests/simulation/system/coordinator.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "base/check.h"
#include "base/overloaded.h"
#include "coordinator/commit/proposal.h"
#include "tests/simulation/system/agent.h"
#include "tests/simulation/system/book.h"
#include "tests/simulation/system/words.h"
#include "tests/simulation/violation.h"

namespace assent::simulation::system {
namespace {

// As in production: agent_links.cc, office_runner.cc and coordinator/server/config.cc.
constexpr Micros kInventoryTimeout = 1 * kSecond;
constexpr Micros kInquiryMax = 500 * kMillisecond;
constexpr Micros kInventoryEvery = kSecond;
constexpr Millis kTimeEntryEvery{10'000};
constexpr Millis kSilence{1'500};
constexpr std::size_t kFinishesRemembered = 64;  // by an office
constexpr std::size_t kEntriesOfDriven = 6;      // a timer, and a serial for each branch

// An answer, and the life of the agent that gives it.
template <class T>
struct OfLife {
  T answer;
  Epoch life;
};

template <class T>
Done<T> with_life(Agent& agent, Done<OfLife<T>> done) {
  return [&agent, done = std::move(done)](Result<T> answer) {
    done(std::move(answer).map([&](T&& one) { return OfLife<T>{std::move(one), agent.epoch()}; }));
  };
}

}  // namespace

// The log as the office and the enrolment see it. What is proposed is submitted right behind the
// step that is being carried out.
class Coordinator::Log final : public state::ReplicatedLog {
 public:
  Log(Host& host, Place place) : host_(host), next_(std::uint64_t{place} << 40) {}

  void propose(state::Command command, OnExecuted done) override {
    const std::uint64_t operation = ++next_;
    waiting_.emplace(operation, std::move(done));
    auto shared = std::make_shared<const state::Command>(std::move(command));
    host_.later(0, [this, operation, shared, term = term_] {
      if (term == term_) host_.ask({operation, shared});
    });
  }

  [[nodiscard]] bool congested() const override { return waiting_.size() > 10'000; }

  void read(OnRead done) override {
    const std::uint64_t operation = ++next_;
    reads_.emplace(operation, std::move(done));
    host_.later(0, [this, operation, term = term_] {
      if (term == term_) host_.ask({operation, nullptr});
    });
  }

  [[nodiscard]] const state::StateMachine& state() const override { return host_.core().state(); }
  [[nodiscard]] Ballot ballot() const override { return ballot_; }
  [[nodiscard]] LogTime now() const override { return host_.log_now(); }

  void begin(Ballot ballot) { ballot_ = ballot; }
  // `told`: the process goes on, and whoever waits for a read is told.
  void end(bool told) {
    ++term_;
    waiting_.clear();
    auto reads = std::exchange(reads_, {});
    for (auto& [operation, done] : reads) {
      if (told) done(false);
    }
  }

  void answered(std::uint64_t operation, const Answer& answer) {
    if (const auto read = reads_.find(operation); read != reads_.end()) {
      const OnRead done = std::move(read->second);
      reads_.erase(read);
      return done(answer.kind == Answer::Kind::kDone);
    }
    const auto found = waiting_.find(operation);
    if (found == waiting_.end()) return;
    const OnExecuted done = std::move(found->second);
    waiting_.erase(found);
    if (answer.kind == Answer::Kind::kDone) return done(answer.result.value());
    // The office is being lost, and who waits hears of that.
    if (answer.kind == Answer::Kind::kElsewhere) return;
    violated(Checker::kBoundedQueues, "the log refused what the office proposed");
  }

 private:
  Host& host_;
  std::uint64_t next_;
  std::uint64_t term_ = 0;
  Ballot ballot_;
  std::unordered_map<std::uint64_t, OnExecuted> waiting_;
  std::map<std::uint64_t, OnRead> reads_;
};

struct Coordinator::Term {
  Term(Log& log, MonoTime now, coordinator::Enrolment::Callbacks callbacks)
      : office(log.state(), {.finishes_remembered = kFinishesRemembered, .budget = {}}),
        enrolment(log, kSilence, now, std::move(callbacks)) {}

  commit::Office office;
  coordinator::Enrolment enrolment;
  std::map<std::string, Link> links;
  std::unordered_map<commit::Token, Waiter> waiters;
  commit::Token last_token;
  std::optional<MonoTime> armed;
};

Coordinator::Coordinator(Host& host, Wire& wire, Book& book, Trace& trace, FindAgent find_agent,
                         Place place)
    : host_(host),
      wire_(wire),
      book_(book),
      trace_(trace),
      find_agent_(std::move(find_agent)),
      place_(place),
      log_(std::make_unique<Log>(host, place)) {}

Coordinator::~Coordinator() = default;

// ── the office ──────────────────────────────────────────────────────────────────────────────────

void Coordinator::office_changed(const replica::OfficeChange& change) {
  if (const auto* taken = std::get_if<replica::OfficeTaken>(&change)) {
    ++terms_;
    log_->begin(taken->ballot);
    // Not from inside the step that took the office: the office may propose. Until then there is
    // none: what was waiting while the process stood still is not for it.
    host_.later(0, [this, term = terms_] {
      if (term != terms_) return;
      term_ = std::make_unique<Term>(*log_, mono(), callbacks());
      carry_out(term_->office.take_office({mono(), log_->now()}));
      for (const auto& [name, record] : log_->state().participants()) {
        follow(name, record.peer_address);
      }
      ask_inventories();
    });
    return;
  }
  const std::unique_ptr<Term> lost = std::move(term_);
  ++terms_;
  if (!lost) return;
  lost->enrolment.lose_office();
  const Error unknown{ErrorCode::kOutcomeUnknown, "this replica lost the office"};
  for (auto& [token, waiter] : std::exchange(lost->waiters, {})) {
    std::visit([&](const auto& done) { done(tl::unexpected(unknown)); }, waiter);
  }
  log_->end(true);
}

coordinator::Enrolment::Callbacks Coordinator::callbacks() {
  return {.enrolled = [this](const std::string& participant, const std::string& address,
                             const std::string& /* nonce */) { follow(participant, address); },
          .recovered = [this](const std::string& participant) { recovered(participant); },
          .ask_life =
              [this](const std::string& /* participant */, const state::ParticipantRecord& life,
                     std::function<void(coordinator::Presence)> done) {
                ask_life(life, std::move(done));
              }};
}

void Coordinator::ended() {
  term_.reset();
  ++terms_;
  log_->end(false);
}

void Coordinator::answered(std::uint64_t operation, const Answer& answer) {
  log_->answered(operation, answer);
}

MonoTime Coordinator::mono() const {
  return host_.mono_now();
}

void Coordinator::feed(const commit::Input& input) {
  carry_out(term_->office.step({mono(), log_->now()}, input));
}

// Beside what it drives an office remembers its last finishes.
void Coordinator::carry_out(commit::Effects effects) {
  const std::size_t driven = term_->office.driven_count();
  check_memory("an office", term_->office.remembered(),
               kFinishesRemembered + kEntriesOfDriven * driven);
  term_->office.check_invariants();
  for (state::Command& command : effects.propose) propose(std::move(command));
  for (const commit::SendPrepare& prepare : effects.prepares) send(prepare);
  for (const commit::SendFinish& finish : effects.finishes) send(finish);
  for (const commit::SendSettle& settle : effects.settles) send(settle);
  for (commit::Reply& answer : effects.replies) reply(std::move(answer));
  arm();
}

void Coordinator::propose(state::Command command) {
  const commit::Proposal proposal = commit::proposal_of(command);
  log_->propose(std::move(command), [this, proposal](const state::CommandResult& result) {
    const auto told = commit::executed(proposal, result);
    if (told && term_) feed(*told);
  });
}

void Coordinator::reply(commit::Reply reply) {
  const auto found = term_->waiters.find(reply.token);
  CHECK(found != term_->waiters.end(), "every token is answered once");
  const Waiter waiter = std::move(found->second);
  term_->waiters.erase(found);
  std::visit(
      Overloaded{
          [&](commit::CommitAnswer& answer) {
            std::get<Done<commit::CommitAnswer>>(waiter)(std::move(answer));
          },
          [&](commit::AbortAnswer& answer) { std::get<Done<commit::AbortAnswer>>(waiter)(answer); },
          [&](Error& error) {
            std::visit([&](const auto& done) { done(tl::unexpected(error)); }, waiter);
          },
      },
      reply.answer);
}

void Coordinator::arm() {
  const auto due = term_->office.next_deadline();
  if (due == term_->armed) return;
  term_->armed = due;
  if (!due) return;
  const Micros wait =
      std::max<std::int64_t>((*due - mono()).value, 0) * kMillisecond + kMillisecond;
  host_.later(wait, [this, due, term = terms_] {
    if (term != terms_ || !term_ || term_->armed != due) return;
    term_->armed.reset();
    feed(commit::Tick{});
  });
}

std::size_t Coordinator::driven() const {
  return term_ ? term_->office.driven_count() : 0;
}

// ── agents ──────────────────────────────────────────────────────────────────────────────────────

void Coordinator::follow(const std::string& participant, const std::string& address) {
  term_->links[participant].address = address;
  term_->links[participant].asking = false;
  host_.later(0, [this, participant, term = terms_] {
    if (term != terms_ || !term_) return;
    feed(commit::AgentUp{participant});
    ask_inventory(participant);
  });
}

// As agent_links.cc does.
void Coordinator::recovered(const std::string& participant) {
  host_.later(0, [this, participant, term = terms_] {
    if (term != terms_ || !term_) return;
    feed(commit::AgentUp{participant});
    Link& link = term_->links[participant];
    link.ask_again = link.asking;
    ask_inventory(participant);
  });
}

// As life_inquiry.cc does. A link that is cut may answer for the host behind it, too: who is known
// to be gone may be there.
void Coordinator::ask_life(const state::ParticipantRecord& life,
                           std::function<void(coordinator::Presence)> done) {
  using coordinator::Presence;
  Agent* const agent = find_agent_(life.peer_address);
  CHECK(agent != nullptr, "an agent enrolled there");
  wire_.ask<std::string>(
      place_, agent->place(), agent->up(), kInquiryMax,
      [agent](Done<std::string> answer) {
        agent->enter([agent, answer] { answer(agent->nonce()); });
      },
      [this, nonce = life.nonce, done = std::move(done), term = terms_](Result<std::string> told) {
        host_.take_in([this, nonce, done, term, told = std::move(told)] {
          if (term != terms_ || !term_) return;
          if (told) return done(*told == nonce ? Presence::kThere : Presence::kGone);
          const bool refused = told.error().code == ErrorCode::kUnavailable;
          done(refused ? Presence::kGone : Presence::kUnknown);
        });
      });
}

void Coordinator::ask_inventories() {
  for (const auto& [participant, link] : term_->links) ask_inventory(participant);
  if (log_->now() - log_->state().time() >= kTimeEntryEvery) propose(state::Forgotten{});
  host_.later(kInventoryEvery, [this, term = terms_] {
    if (term == terms_ && term_) ask_inventories();
  });
}

template <class T>
void Coordinator::ask(const std::string& participant, std::function<void(Agent&, Done<T>)> at,
                      Done<T> heard, Micros patience) {
  const auto link = term_->links.find(participant);
  Agent* const agent = link == term_->links.end() ? nullptr : find_agent_(link->second.address);
  Done<T> inside = [this, participant, heard = std::move(heard), term = terms_](Result<T> answer) {
    host_.take_in([this, participant, heard, term, answer = std::move(answer)] {
      if (term != terms_ || !term_) return;
      heard(answer);
      note_answered(participant, answer || answer.error().code != ErrorCode::kOutcomeUnknown);
    });
  };
  if (agent == nullptr) {
    return host_.later(
        0, [inside] { inside(failure(ErrorCode::kUnavailable, "its agent never enrolled")); });
  }
  wire_.ask<T>(
      place_, agent->place(), agent->up(), patience,
      [agent, at = std::move(at)](Done<T> done) {
        agent->enter([agent, at, done] { at(*agent, done); });
      },
      std::move(inside));
}

// A connection that works again.
void Coordinator::note_answered(const std::string& participant, bool answered) {
  Link& link = term_->links[participant];
  const bool again = answered && link.silent;
  link.silent = !answered;
  if (again) feed(commit::AgentUp{participant});
}

void Coordinator::ask_inventory(const std::string& participant) {
  Link& link = term_->links[participant];
  if (link.asking) return;
  link.asking = true;
  const MonoTime asked = mono();
  using Inventory = OfLife<postgres::Inventory>;
  ask<Inventory>(
      participant,
      [ballot = log_->ballot()](Agent& agent, Done<Inventory> done) {
        agent.inventory(ballot, with_life(agent, std::move(done)));
      },
      [this, participant, asked](Result<Inventory> found) {
        Link& asked_link = term_->links[participant];
        asked_link.asking = false;
        if (std::exchange(asked_link.ask_again, false)) ask_inventory(participant);
        if (!found) return;
        commit::InventoryArrived arrived{participant, asked, {}, {}, found->life};
        for (const auto& one : found->answer.prepared)
          arrived.prepared.push_back({one.branch, one.evidence});
        for (const auto& one : found->answer.ended)
          arrived.ended.push_back({one.branch, one.evidence});
        feed(std::move(arrived));
      },
      kInventoryTimeout);
}

template <class Words>
void Coordinator::note(std::string_view what, const TransactionId& transaction, Words words) {
  trace_.event(place_, what, transaction.low, 0, std::move(words));
}

void Coordinator::send(const commit::SendPrepare& prepare) {
  note("sends PREPARE", prepare.branch.transaction, [&] { return words(prepare); });
  book_.prepare_sent(prepare);
  branch::PrepareAsked asked{.token = {}, .ballot = log_->ballot(), .branch = prepare.branch};
  asked.statements = prepare.statements;
  asked.one_shot = prepare.one_shot;
  asked.low_water = prepare.low_water;
  asked.one_phase = prepare.one_phase;
  ask<commit::Vote>(
      prepare.branch.participant,
      [asked](Agent& agent, Done<commit::Vote> done) { agent.prepare(asked, std::move(done)); },
      [this, branch = prepare.branch, one_phase = prepare.one_phase](Result<commit::Vote> vote) {
        note("hears the vote", branch.transaction,
             [&] { return to_string(branch) + " " + words(vote); });
        if (vote) return feed(commit::VoteArrived{branch, std::move(*vote)});
        const bool unsent =
            vote.error().code == ErrorCode::kUnavailable && vote.error().participant.empty();
        if (one_phase && !unsent) book_.one_phase_maybe_told(branch);
        feed(commit::PrepareLost{branch, vote.error(), unsent});
      });
}

void Coordinator::send(const commit::SendFinish& finish) {
  note("sends the outcome", finish.branch.transaction, [&] { return words(finish); });
  book_.finish_sent(finish);
  branch::FinishAsked asked{{}, log_->ballot(), finish.branch, finish.outcome, finish.evidence};
  asked.maybe_lost = finish.maybe_lost;
  asked.kept_in = finish.kept_in;
  using Finished = OfLife<FinishResult>;
  ask<Finished>(
      finish.branch.participant,
      [asked](Agent& agent, Done<Finished> done) {
        agent.finish(asked, with_life(agent, std::move(done)));
      },
      [this, branch = finish.branch](const Result<Finished>& done) {
        const Result<FinishResult> result =
            done.map([](const Finished& one) { return one.answer; });
        note("hears of the finish", branch.transaction,
             [&] { return to_string(branch) + " " + words(result); });
        if (done) return feed(commit::FinishArrived{branch, done->answer, done->life});
        feed(commit::FinishLost{branch});
      });
}

void Coordinator::send(const commit::SendSettle& settle) {
  note("asks to settle", settle.transaction,
       [&] { return to_string(settle.transaction) + " at " + settle.participant; });
  const branch::SettleAsked asked{{}, log_->ballot(), settle.transaction};
  using Settled = OfLife<branch::Settled>;
  ask<Settled>(
      settle.participant,
      [asked](Agent& agent, Done<Settled> done) {
        agent.settle(asked, with_life(agent, std::move(done)));
      },
      [this, settle](Result<Settled> settled) {
        if (!settled) return feed(commit::SettleLost{settle.participant, settle.transaction});
        feed(commit::SettleArrived{settle.participant, settle.transaction,
                                   settled->answer.committed, settled->life});
      });
}

// ── requests ────────────────────────────────────────────────────────────────────────────────────

Error Coordinator::not_leader() const {
  Error error{ErrorCode::kNotLeader, "this replica does not lead"};
  if (const auto leader = host_.core().consensus().leader()) error.leader = to_string(*leader);
  return error;
}

void Coordinator::commit(commit::CommitAsked asked, Done<commit::CommitAnswer> done) {
  if (!term_) return done(tl::unexpected(not_leader()));
  asked.token = term_->last_token = term_->last_token.next();
  term_->waiters.emplace(asked.token, std::move(done));
  feed(asked);
}

void Coordinator::abort(commit::AbortAsked asked, Done<commit::AbortAnswer> done) {
  if (!term_) return done(tl::unexpected(not_leader()));
  asked.token = term_->last_token = term_->last_token.next();
  term_->waiters.emplace(asked.token, std::move(done));
  feed(asked);
}

void Coordinator::status(const TransactionId& transaction, Done<Status> done) {
  if (!term_) return done(tl::unexpected(not_leader()));
  const auto known = [this, transaction]() -> Result<Status> {
    const state::TransactionRecord* record = log_->state().find(transaction);
    if (record == nullptr && transaction.time() <= log_->state().floor()) {
      return failure(ErrorCode::kExpired, "it is older than the retention of outcomes");
    }
    Status out{std::nullopt, term_->office.pending(transaction)};
    out.unknown = record != nullptr && record->may_have_committed();
    if (record != nullptr && !out.unknown) out.outcome = record->outcome;
    return out;
  };
  if (log_->state().find(transaction) != nullptr) return done(known());
  log_->read([this, done, known](bool current) {
    done(current && term_ ? known() : tl::unexpected(not_leader()));
  });
}

void Coordinator::hello(Done<Hello> done) {
  if (!term_) return done(tl::unexpected(not_leader()));
  Hello out{log_->now(), log_->state().office_number(), {}};
  for (const auto& [name, record] : log_->state().participants()) {
    out.agents[name] = record.client_address;
  }
  done(std::move(out));
}

void Coordinator::enrol(const state::Enrolled& life, Done<Issued> done) {
  if (!term_) return done(tl::unexpected(not_leader()));
  term_->enrolment.enrol(mono(), life, [this, done](Result<Epoch> epoch) {
    if (!epoch) return done(tl::unexpected(epoch.error()));
    done(Issued{*epoch, log_->ballot()});
  });
}

void Coordinator::heartbeat(const std::string& participant, Epoch epoch,
                            coordinator::Enrolment::Beat beat, Done<LogTime> done) {
  if (!term_) return done(tl::unexpected(not_leader()));
  term_->enrolment.heartbeat(mono(), participant, epoch, beat, [this, done](Result<void> heard) {
    if (!heard) return done(tl::unexpected(heard.error()));
    done(log_->state().floor());
  });
}

}  // namespace assent::simulation::system
