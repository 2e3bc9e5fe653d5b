// The client port of an agent: statements of branches.
#include <memory>
#include <utility>

#include "participant/server/handlers.h"
#include "runtime/rpc/handler.h"
#include "runtime/rpc/ids.h"
#include "wire/Branches.h"

namespace assent::participant {
namespace {

using rpc::answer;
using rpc::Cob;
using rpc::ExnCob;

constexpr std::size_t kNonceMax = 64;
constexpr std::int32_t kIdleTimeoutDefault = 60'000;
constexpr std::int32_t kIdleTimeoutMax = 3'600'000;
constexpr std::size_t kParametersMax = 65'535;  // of PostgreSQL's protocol

Result<branch::Opening> opening_from_wire(const wire::OpenBranch& start) {
  if (start.nonce.empty() || start.nonce.size() > kNonceMax) {
    return failure(ErrorCode::kInvalidArgument, "start.nonce must have 1 to 64 bytes");
  }
  const std::int32_t idle =
      start.__isset.idle_timeout_ms ? start.idle_timeout_ms : kIdleTimeoutDefault;
  if (idle < 1 || idle > kIdleTimeoutMax) {
    return failure(ErrorCode::kInvalidArgument, "start.idle_timeout_ms must be 1 to 3600000");
  }
  return branch::Opening{start.nonce, Millis(idle)};
}

Result<std::variant<branch::Opening, branch::BranchRef>> branch_from_wire(
    const wire::ExecuteRequest& request) {
  if (request.__isset.start == request.__isset.branch) {
    return failure(ErrorCode::kInvalidArgument,
                   "exactly one of start and branch must be present: start opens the branch, every "
                   "later statement names it");
  }
  if (request.__isset.start) {
    return opening_from_wire(request.start).map([](branch::Opening opening) {
      return std::variant<branch::Opening, branch::BranchRef>(std::move(opening));
    });
  }
  const auto epoch = rpc::positive_from_wire(request.branch.epoch, "branch.epoch");
  if (!epoch) return tl::unexpected(epoch.error());
  const auto attempt = rpc::positive_from_wire(request.branch.attempt, "branch.attempt");
  if (!attempt) return tl::unexpected(attempt.error());
  return branch::BranchRef{Epoch(*epoch), Attempt(*attempt)};
}

Result<branch::Statement> statement_from_wire(const wire::ExecuteRequest& request) {
  if (request.parameters.size() > kParametersMax) {
    return failure(ErrorCode::kInvalidArgument, "a statement takes at most 65535 parameters");
  }
  // libpq takes zero-terminated strings: a zero byte would silently cut the rest off.
  if (request.sql.find('\0') != std::string::npos) {
    return failure(ErrorCode::kInvalidArgument, "sql holds a zero byte");
  }
  branch::Statement out;
  out.sql = request.sql;
  out.timeout = Millis(request.__isset.timeout_ms ? std::max(request.timeout_ms, 0) : 0);
  for (const wire::Value& value : request.parameters) {
    if (value.__isset.text && value.text.find('\0') != std::string::npos) {
      return failure(ErrorCode::kInvalidArgument,
                     "a parameter holds a zero byte, which no PostgreSQL text value can; send "
                     "binary data as bytea in its \\x form");
    }
    out.parameters.push_back(value.__isset.text ? branch::Value(value.text) : std::nullopt);
  }
  return out;
}

Result<branch::ExecuteAsked> execute_from_wire(const wire::ExecuteRequest& request) {
  const auto transaction = rpc::transaction_from_wire(request.transaction);
  if (!transaction) return tl::unexpected(transaction.error());
  auto named = branch_from_wire(request);
  if (!named) return tl::unexpected(named.error());
  const auto number = rpc::positive_from_wire(request.statement_number, "statement_number");
  if (!number) return tl::unexpected(number.error());
  auto statement = statement_from_wire(request);
  if (!statement) return tl::unexpected(statement.error());
  return branch::ExecuteAsked{{},
                              *transaction,
                              std::move(*named),
                              static_cast<std::uint32_t>(*number),
                              std::move(*statement)};
}

wire::Row row_to_wire(const std::vector<branch::Value>& row) {
  wire::Row out;
  out.values.reserve(row.size());
  for (const branch::Value& value : row) {
    wire::Value& cell = out.values.emplace_back();
    if (value) cell.__set_text(*value);
  }
  return out;
}

wire::ExecuteReply execute_to_wire(const branch::ExecuteAnswer& done) {
  auto out = rpc::versioned<wire::ExecuteReply>();
  out.branch.epoch = static_cast<std::int64_t>(done.branch.epoch.value);
  out.branch.attempt = static_cast<std::int64_t>(done.branch.attempt.value);
  for (const branch::Column& column : done.result->columns) {
    wire::Column& named = out.columns.emplace_back();
    named.name = column.name;
    named.type_oid = static_cast<std::int32_t>(column.type_oid);
  }
  for (const auto& row : done.result->rows) out.rows.push_back(row_to_wire(row));
  out.row_count = done.result->row_count;
  out.command_tag = done.result->command_tag;
  return out;
}

class ClientHandler final : public wire::BranchesCobSvIf {
 public:
  explicit ClientHandler(Services& services) : services_(services) {}

  void execute(Cob<wire::ExecuteReply> cob, ExnCob exn,
               const wire::ExecuteRequest& request) override {
    auto asked = check(request).and_then([&] { return execute_from_wire(request); });
    if (!asked) return answer<wire::ExecuteReply>(cob, exn, tl::unexpected(named(asked.error())));
    services_.branches->execute(
        std::move(*asked), [this, cob, exn](Result<branch::ExecuteAnswer> done) {
          answer(cob, exn, std::move(done).map(execute_to_wire).map_error([this](Error error) {
            return named(std::move(error));
          }));
        });
  }

 private:
  // Every error of an agent names its participant.
  Error named(Error error) const {
    if (error.participant.empty()) error.participant = services_.config.participant;
    return error;
  }

  Result<void> check(const wire::ExecuteRequest& request) const {
    if (auto version = rpc::check_version(request.protocol_version); !version) return version;
    if (request.participant != services_.config.participant) {
      return failure(ErrorCode::kUnknownParticipant,
                     "this agent serves participant " + services_.config.participant);
    }
    // Only a new branch waits for the fence; one that is open implies that it is complete.
    if (services_.branches && (services_.open || !request.__isset.start)) return {};
    return failure(ErrorCode::kUnavailable,
                   "the agent takes no new branches now: it is starting (waiting for its database, "
                   "the coordinator, or the end of an earlier life's backends) or stopping");
  }

  Services& services_;
};

}  // namespace

std::shared_ptr<apache::thrift::async::TAsyncProcessor> client_processor(Services& services) {
  return std::make_shared<wire::BranchesAsyncProcessor>(std::make_shared<ClientHandler>(services));
}

}  // namespace assent::participant
