#include "assent/client.h"

#include <utility>

#include "base/check.h"
#include "client/cpp/src/convert.h"
#include "client/cpp/src/core.h"
#include "client/cpp/src/retry.h"
#include "client/cpp/src/transaction_state.h"
#include "runtime/rpc/address.h"
#include "wire/common_constants.h"

namespace assent {
namespace {

Result<void> check_range(const char* option, std::int32_t value, std::int32_t high) {
  if (value >= 1 && value <= high) return {};
  return failure(ErrorCode::kInvalidArgument, std::string("option ") + option + " is " +
                                                  std::to_string(value) + ", but goes from 1 to " +
                                                  std::to_string(high));
}

Result<void> check_times(const ClientOptions& options) {
  constexpr std::int32_t kHourMs = 3'600'000;
  const std::pair<const char*, std::int32_t> times[] = {
      {"connect_timeout_ms", options.connect_timeout_ms},
      {"statement_timeout_ms", options.statement_timeout_ms},
      {"idle_timeout_ms", options.idle_timeout_ms},
      {"unknown_after_ms", options.unknown_after_ms}};
  for (const auto& [option, value] : times) {
    if (auto checked = check_range(option, value, kHourMs); !checked) return checked;
  }
  return {};
}

Result<void> check_options(const ClientOptions& options) {
  if (options.coordinators.empty()) {
    return failure(ErrorCode::kInvalidArgument,
                   "option coordinators is empty: it needs at least one \"host:port\"");
  }
  for (const auto& coordinator : options.coordinators) {
    if (const auto address = rpc::parse_address(coordinator); !address) {
      return tl::unexpected(address.error());
    }
  }
  if (!options.cluster.empty() && !valid_cluster_name(options.cluster)) {
    return failure(ErrorCode::kInvalidArgument,
                   "option cluster is not a name: expected 1 to 32 of [a-z0-9_-]");
  }
  return check_times(options);
}

}  // namespace

Client::Client(std::shared_ptr<ClientCore> core) : core_(std::move(core)) {}
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;
Client::~Client() = default;

Result<Client> Client::connect(ClientOptions options) {
  if (auto checked = check_options(options); !checked) return tl::unexpected(checked.error());
  const auto core = std::make_shared<ClientCore>(std::move(options));
  if (auto connected = core->connect(); !connected) return tl::unexpected(connected.error());
  return Client(core);
}

Transaction Client::start() {
  CHECK(core_, "a client is not used after it was moved from");
  return Transaction(std::make_unique<Transaction::State>(core_, core_->new_transaction_id()));
}

CommitResult Client::run(const std::function<Result<void>(Transaction&)>& work,
                         const CommitOptions& options, const RetryOptions& retry) {
  CHECK(core_, "a client is not used after it was moved from");
  return client::with_retries(retry, Millis(core_->options().unknown_after_ms), [&] {
    Transaction transaction = start();
    const Result<void> done = work(transaction);
    CommitResult result = done ? transaction.commit(options) : transaction.abort();
    if (!done && result.state == CommitState::kAborted) result.reason = done.error();
    const bool again = transaction.state_->may_succeed_again(result);
    return client::Attempt{std::move(result), again};
  });
}

Result<std::vector<std::string>> Client::participants() {
  CHECK(core_, "a client is not used after it was moved from");
  if (auto asked = core_->reach(); !asked) return tl::unexpected(asked.error());
  return core_->participants();
}

CommitResult Client::outcome(const std::string& transaction) {
  CHECK(core_, "a client is not used after it was moved from");
  wire::StatusRequest request;
  request.protocol_version = wire::g_common_constants.PROTOCOL_VERSION;
  request.transaction = transaction;
  auto asked = core_->status(request);
  if (asked) return client::from_wire(transaction, *asked);
  return {.transaction = transaction, .reason = std::move(asked.error())};
}

}  // namespace assent
