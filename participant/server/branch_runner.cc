#include "participant/server/branch_runner.h"

#include <concepts>
#include <utility>

#include "base/check.h"
#include "base/overloaded.h"
#include "runtime/process.h"

namespace assent::participant {
namespace {

template <class Answer>
concept IsVote = std::constructible_from<BranchRunner::Vote, Answer>;

}  // namespace

BranchRunner::BranchRunner(boost::asio::io_context& loop, postgres::Database& database,
                           branch::BranchTableOptions options, Ballot ballot)
    : database_(database),
      table_(std::move(options), ballot),
      tick_(loop, [this] { feed(branch::Tick{}); }) {
  database_.set_sink([this](const branch::Input& input) { feed(input); });
  database_.set_may_send([this](Ballot sender) { return table_.may_send(sender); });
}

BranchRunner::~BranchRunner() = default;

branch::Token BranchRunner::wait_with(Waiter waiter) {
  last_token_ = last_token_.next();
  waiters_.emplace(last_token_, std::move(waiter));
  return last_token_;
}

void BranchRunner::execute(branch::ExecuteAsked asked, Done<branch::ExecuteAnswer> done) {
  asked.token = wait_with(std::move(done));
  feed(std::move(asked));
}

void BranchRunner::prepare(branch::PrepareAsked asked, Done<Vote> done) {
  asked.token = wait_with(std::move(done));
  feed(std::move(asked));
}

void BranchRunner::finish(branch::FinishAsked asked, Done<branch::FinishResult> done) {
  asked.token = wait_with(std::move(done));
  feed(std::move(asked));
}

void BranchRunner::settle(branch::SettleAsked asked, Done<branch::Settled> done) {
  asked.token = wait_with(std::move(done));
  feed(std::move(asked));
}

void BranchRunner::cancel(branch::CancelAsked asked, Done<branch::Cancelled> done) {
  asked.token = wait_with(std::move(done));
  feed(std::move(asked));
}

void BranchRunner::inventory(Ballot ballot, Done<postgres::Inventory> done) {
  if (!table_.may_send(ballot)) {
    return done(failure(ErrorCode::kStaleBallot, "ballot " + to_string(ballot) +
                                                     " is over: ballot " +
                                                     to_string(table_.ballot()) + " leads"));
  }
  table_.observe(ballot);
  database_.take_inventory(
      table_.prepared(), [this, done = std::move(done)](Result<postgres::Inventory> found) {
        // A finish that came in between will tell, or has told.
        if (found) {
          std::erase_if(found->ended, [this](const branch::PreparedBranch& one) {
            return !table_.is_prepared(one.branch);
          });
        }
        done(std::move(found));
      });
}

void BranchRunner::feed(const branch::Input& input) {
  branch::Effects effects = table_.step(process::monotonic_now(), input);
  for (const branch::Operation& operation : effects.operations) database_.carry_out(operation);
  for (branch::Reply& answer : effects.replies) reply(std::move(answer));
  tick_.arm(table_.next_deadline());
}

void BranchRunner::reply(branch::Reply reply) {
  const auto found = waiters_.find(reply.token);
  CHECK(found != waiters_.end(), "every token is answered once");
  const Waiter waiter = std::move(found->second);
  waiters_.erase(found);
  std::visit(
      Overloaded{
          [&](Error& error) {
            std::visit([&](const auto& done) { done(tl::unexpected(std::move(error))); }, waiter);
          },
          [&]<IsVote Answer>(Answer& vote) { std::get<Done<Vote>>(waiter)(Vote(std::move(vote))); },
          [&]<class Answer>(Answer& answer) { std::get<Done<Answer>>(waiter)(std::move(answer)); },
      },
      reply.answer);
}

}  // namespace assent::participant
