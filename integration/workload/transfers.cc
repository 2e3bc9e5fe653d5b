#include "integration/workload/transfers.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/check.h"

namespace assent::workload {
namespace {

// While a process is down, clients must not keep the machine from starting it again.
constexpr std::chrono::milliseconds kPauseWhenUnavailable{20};

constexpr const char* kAdd = "UPDATE accounts SET balance = balance + $1 WHERE id = $2";
constexpr const char* kAddWithReceipt =
    "WITH receipt AS (INSERT INTO receipts (transfer) VALUES ($3)) "
    "UPDATE accounts SET balance = balance + $1 WHERE id = $2";

bool unavailable(const CommitResult& result) {
  return result.reason && !result.reason->sql && retryable(*result.reason);
}

}  // namespace

Transfers::Transfers(Client& client, TransferOptions options, Recorder& recorder,
                     Receipts* receipts)
    : client_(client), options_(std::move(options)), recorder_(recorder), receipts_(receipts) {
  CHECK(!options_.participants.empty(), "a transfer needs a participant");
  for (std::uint32_t number = 0; number < options_.clients; ++number) {
    threads_.emplace_back(
        [this, number](const std::stop_token& stopping) { run_client(stopping, number); });
  }
}

void Transfers::stop() {
  for (auto& thread : threads_) thread.request_stop();
  threads_.clear();
}

void Transfers::run_client(const std::stop_token& stopping, std::uint64_t number) {
  std::seed_seq seeds{options_.seed, number};
  Random random(seeds);
  while (!stopping.stop_requested()) {
    const auto began = Clock::now();
    const CommitResult result = transfer(random);
    recorder_.record(result, began);
    if (unavailable(result)) std::this_thread::sleep_for(kPauseWhenUnavailable);
  }
}

// Going on would lose the money.
Error Transfers::no_account(const Change& change) {
  return {ErrorCode::kInvalidArgument,
          "table accounts has no row with id " + std::to_string(change.account),
          change.participant};
}

CommitResult Transfers::transfer(Random& random) {
  Changes changes = pick_changes(random);
  // In steps all clients lock in the same order of participants and accounts: no circle of waits
  // goes through two databases, where neither of them could see it. One-shots lock on all
  // participants at the same time; there only the votes' deadline breaks such a circle.
  if (place_of(changes[1]) < place_of(changes[0])) std::swap(changes[0], changes[1]);
  const std::string name = receipts_ != nullptr ? receipts_->next_name() : std::string();
  auto result =
      options_.one_shot ? transfer_at_once(changes, name) : transfer_in_steps(changes, name);
  if (receipts_ != nullptr) receipts_->told(name, result);
  return result;
}

const char* Transfers::statement() const {
  return receipts_ != nullptr ? kAddWithReceipt : kAdd;
}

std::vector<Parameter> Transfers::parameters(const Change& change, const std::string& name) const {
  std::vector<Parameter> values{change.amount, change.account};
  if (receipts_ != nullptr) values.emplace_back(name);
  return values;
}

CommitResult Transfers::transfer_in_steps(const Changes& changes, const std::string& name) {
  Transaction transaction = client_.start();
  for (const Change& change : changes) {
    const auto rows =
        transaction.execute(change.participant, statement(), parameters(change, name));
    if (rows && rows->row_count() == 1) continue;
    auto result = transaction.abort();
    result.reason = rows ? no_account(change) : rows.error();
    return result;
  }
  return transaction.commit(options_.commit);
}

// Not tried again, so that a conflict is counted as it is in steps.
CommitResult Transfers::transfer_at_once(const Changes& changes, const std::string& name) {
  OneShot transaction;
  for (const Change& change : changes) {
    transaction.add(change.participant, statement(), parameters(change, name), 1);
  }
  return client_.commit(transaction, options_.commit, {.attempts_max = 1});
}

std::pair<std::string_view, std::int64_t> Transfers::place_of(const Change& change) {
  return {change.participant, change.account};
}

Transfers::Changes Transfers::pick_changes(Random& random) const {
  const std::size_t count = options_.participants.size();
  const auto pick = [&random](std::size_t high) {
    return std::uniform_int_distribution<std::size_t>(0, high)(random);
  };
  const std::size_t from = pick(count - 1);
  std::size_t to = count == 1 ? from : pick(count - 2);
  if (count > 1 && to >= from) ++to;
  return {Change{options_.participants[from], -options_.amount, pick_account(random)},
          Change{options_.participants[to], options_.amount, pick_account(random)}};
}

std::int64_t Transfers::pick_account(Random& random) const {
  return std::uniform_int_distribution<std::int64_t>(1, options_.accounts)(random);
}

}  // namespace assent::workload
