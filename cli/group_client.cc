#include "cli/group_client.h"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <optional>
#include <utility>

#include "base/check.h"
#include "runtime/process.h"
#include "runtime/rpc/call.h"
#include "wire/CoordinatorInsight.h"
#include "wire/common_constants.h"

namespace assent::cli {
namespace {

constexpr Millis kCallMax{5'000};
constexpr Millis kInsightMax{3'000};   // as of whoever else is looked at
constexpr Millis kBackupMax{300'000};  // to write a large state to a busy disk
constexpr Millis kBetweenTries{200};

// Another try may reach the leader: what was asked may be repeated without harm.
bool try_again(const Error& error) {
  return error.code == ErrorCode::kNotLeader || error.code == ErrorCode::kOutcomeUnknown ||
         error.code == ErrorCode::kOverloaded || error.code == ErrorCode::kUnavailable;
}

}  // namespace

class GroupClient::Impl {
 public:
  Impl(std::vector<std::string> addresses, Millis leader_max)
      : addresses_(std::move(addresses)), leader_max_(leader_max) {
    CHECK(!addresses_.empty(), "somebody is asked");
  }

  // `call` asks one client and calls back.
  template <class Reply>
  using Call = std::function<void(rpc::Client&, std::function<void(Result<Reply>)>)>;

  template <class Reply>
  Result<Reply> ask_leader(const Call<Reply>& call) {
    return ask_leader_within<Reply>(leader_max_, call);
  }

  // Everybody is asked once, at least.
  template <class Reply>
  Result<Reply> ask_leader_within(Millis patience, const Call<Reply>& call) {
    const MonoTime give_up = process::monotonic_now() + patience;
    std::size_t next = 0;
    std::map<std::string, std::string> said;
    std::string answers;  // whoever said last that it does not lead
    while (process::monotonic_now() < give_up || said.size() < addresses_.size()) {
      const std::string address = addresses_[next % addresses_.size()];
      Result<Reply> reply = ask<Reply>(address, call);
      if (reply) {
        std::swap(addresses_[0], addresses_[next % addresses_.size()]);
        return reply;
      }
      if (!try_again(reply.error())) return reply;
      said[address] = reply.error().message;
      if (reply.error().code == ErrorCode::kNotLeader) answers = address;
      // In the end everybody is asked, whatever they say of each other.
      const bool over = give_up <= process::monotonic_now() && said.contains(reply.error().leader);
      if (over || !follow_hint(reply.error(), next)) {
        ++next;
        if (next % addresses_.size() == 0) pause(kBetweenTries);
      }
    }
    // Whoever does not answer is not the first to be asked again.
    if (const auto it = std::ranges::find(addresses_, answers); it != addresses_.end()) {
      std::iter_swap(addresses_.begin(), it);
    }
    return failure(ErrorCode::kUnavailable, nobody_led(said));
  }

  // The first that answers is asked first from then on.
  template <class Reply>
  Result<Reply> ask_any(const Call<Reply>& call) {
    std::string said;
    for (std::string& address : addresses_) {
      Result<Reply> reply = ask<Reply>(address, call);
      if (reply) {
        std::swap(addresses_[0], address);
        return reply;
      }
      said += "; " + address + ": " + reply.error().message;
    }
    return failure(ErrorCode::kUnavailable, "no replica answers" + said);
  }

  template <class Reply>
  Result<Reply> ask_first(const Call<Reply>& call) {
    return ask<Reply>(addresses_[0], call);
  }

  // `call` is told whether any replica may answer.
  template <class Reply>
  Result<Reply> ask_leader_or_any(
      const std::function<void(rpc::Client&, bool, std::function<void(Result<Reply>)>)>& call) {
    // Whoever was looked for in vain just now is not waited for again.
    const Millis patience = leader_unreached_.empty() ? leader_max_ : Millis(0);
    leader_unreached_.clear();
    auto reply = ask_leader_within<Reply>(
        patience, [&](rpc::Client& client, auto done) { call(client, false, std::move(done)); });
    if (reply || reply.error().code != ErrorCode::kUnavailable) return reply;
    leader_unreached_ = reply.error().message;
    return ask_any<Reply>(
        [&](rpc::Client& client, auto done) { call(client, true, std::move(done)); });
  }

  [[nodiscard]] const std::string& leader_unreached() const { return leader_unreached_; }

  void pause(Millis time) {
    loop_.restart();
    loop_.run_for(std::chrono::milliseconds(time.value));
  }

 private:
  // True: `next` is where the leader is said to be.
  bool follow_hint(const Error& error, std::size_t& next) {
    if (error.leader.empty()) return false;
    const auto known = std::ranges::find(addresses_, error.leader);
    const std::size_t place = static_cast<std::size_t>(known - addresses_.begin());
    if (known == addresses_.end()) addresses_.push_back(error.leader);
    if (place == next % addresses_.size()) return false;
    next = place;
    return true;
  }

  template <class Reply>
  Result<Reply> ask(const std::string& address, const Call<Reply>& call) {
    auto& client = clients_[address];
    if (!client) client = std::make_unique<rpc::Client>(loop_, address);
    std::optional<Result<Reply>> answer;
    call(*client, [&](Result<Reply> reply) { answer = std::move(reply); });
    loop_.restart();
    while (!answer && loop_.run_one() > 0) {
    }
    if (answer && !*answer && is_another_port((*answer).error())) {
      (*answer).error().message =
          address + " is not the admin port of a replica, or of one of an older version";
    }
    return answer ? std::move(*answer) : failure(ErrorCode::kUnavailable, "no answer");
  }

  // As Thrift's processors say it of a method that they do not have.
  static bool is_another_port(const Error& error) {
    return error.message.find("Invalid method name") != std::string::npos;
  }

  static std::string nobody_led(const std::map<std::string, std::string>& said) {
    std::string out = "no leader answers";
    for (const auto& [address, words] : said) out += "; " + address + ": " + words;
    return out + "; name the admin ports of more replicas with --at";
  }

  boost::asio::io_context loop_{1};
  std::vector<std::string> addresses_;
  const Millis leader_max_;
  std::string leader_unreached_;
  std::map<std::string, std::unique_ptr<rpc::Client>> clients_;
};

GroupClient::GroupClient(std::vector<std::string> addresses, Millis leader_max)
    : impl_(std::make_unique<Impl>(std::move(addresses), leader_max)) {}

GroupClient::~GroupClient() = default;

void GroupClient::pause(Millis time) {
  impl_->pause(time);
}

Result<wire::GroupReply> GroupClient::group() {
  return impl_->ask_leader<wire::GroupReply>([](rpc::Client& client, auto done) {
    wire::GroupRequest request;
    request.protocol_version = wire::g_common_constants.PROTOCOL_VERSION;
    ASSENT_CALL(wire::CoordinatorAdmin, group, wire::GroupReply)
    (client, request, kCallMax, std::move(done));
  });
}

Result<wire::ChangeGroupReply> GroupClient::change(const wire::ChangeGroupRequest& asked) {
  return impl_->ask_leader<wire::ChangeGroupReply>([&](rpc::Client& client, auto done) {
    wire::ChangeGroupRequest request = asked;
    request.protocol_version = wire::g_common_constants.PROTOCOL_VERSION;
    ASSENT_CALL(wire::CoordinatorAdmin, change_group, wire::ChangeGroupReply)
    (client, request, kCallMax, std::move(done));
  });
}

Result<wire::TransferLeaderReply> GroupClient::transfer(std::int32_t to) {
  return impl_->ask_leader<wire::TransferLeaderReply>([&](rpc::Client& client, auto done) {
    wire::TransferLeaderRequest request;
    request.protocol_version = wire::g_common_constants.PROTOCOL_VERSION;
    request.to = to;
    ASSENT_CALL(wire::CoordinatorAdmin, transfer_leader, wire::TransferLeaderReply)
    (client, request, kCallMax, std::move(done));
  });
}

Result<wire::HeuristicsReply> GroupClient::heuristics() {
  return impl_->ask_leader<wire::HeuristicsReply>([](rpc::Client& client, auto done) {
    wire::HeuristicsRequest request;
    request.protocol_version = wire::g_common_constants.PROTOCOL_VERSION;
    ASSENT_CALL(wire::CoordinatorAdmin, heuristics, wire::HeuristicsReply)
    (client, request, kCallMax, std::move(done));
  });
}

Result<wire::ForgetHeuristicReply> GroupClient::forget_heuristic(const std::string& transaction,
                                                                 const std::string& operator_name,
                                                                 const std::string& reason) {
  return impl_->ask_leader<wire::ForgetHeuristicReply>([&](rpc::Client& client, auto done) {
    wire::ForgetHeuristicRequest request;
    request.protocol_version = wire::g_common_constants.PROTOCOL_VERSION;
    request.transaction = transaction;
    request.operator_name = operator_name;
    request.reason = reason;
    ASSENT_CALL(wire::CoordinatorAdmin, forget_heuristic, wire::ForgetHeuristicReply)
    (client, request, kCallMax, std::move(done));
  });
}

Result<wire::ForgetHeuristicReply> GroupClient::forget_untold(std::int64_t count,
                                                              const std::string& operator_name,
                                                              const std::string& reason) {
  return impl_->ask_leader<wire::ForgetHeuristicReply>([&](rpc::Client& client, auto done) {
    wire::ForgetHeuristicRequest request;
    request.protocol_version = wire::g_common_constants.PROTOCOL_VERSION;
    request.operator_name = operator_name;
    request.reason = reason;
    request.__set_untold(count);
    ASSENT_CALL(wire::CoordinatorAdmin, forget_heuristic, wire::ForgetHeuristicReply)
    (client, request, kCallMax, std::move(done));
  });
}

Result<wire::ChangeParticipantReply> GroupClient::change_participant(
    const wire::ChangeParticipantRequest& asked) {
  return impl_->ask_leader<wire::ChangeParticipantReply>([&](rpc::Client& client, auto done) {
    wire::ChangeParticipantRequest request = asked;
    request.protocol_version = wire::g_common_constants.PROTOCOL_VERSION;
    ASSENT_CALL(wire::CoordinatorAdmin, change_participant, wire::ChangeParticipantReply)
    (client, request, kCallMax, std::move(done));
  });
}

Result<wire::ResolveReply> GroupClient::resolve(const wire::ResolveRequest& asked) {
  return impl_->ask_leader<wire::ResolveReply>([&](rpc::Client& client, auto done) {
    wire::ResolveRequest request = asked;
    request.protocol_version = wire::g_common_constants.PROTOCOL_VERSION;
    ASSENT_CALL(wire::CoordinatorAdmin, resolve, wire::ResolveReply)
    (client, request, kCallMax, std::move(done));
  });
}

Result<wire::BackupReply> GroupClient::backup(std::optional<std::int64_t> at_least) {
  return impl_->ask_any<wire::BackupReply>([&](rpc::Client& client, auto done) {
    wire::BackupRequest request;
    request.protocol_version = wire::g_common_constants.PROTOCOL_VERSION;
    if (at_least) request.__set_at_least(*at_least);
    ASSENT_CALL(wire::CoordinatorAdmin, backup, wire::BackupReply)
    (client, request, kBackupMax, std::move(done));
  });
}

Result<wire::BackupPartReply> GroupClient::backup_part(const wire::SnapshotInfo& backup,
                                                       std::int64_t offset) {
  return impl_->ask_first<wire::BackupPartReply>([&](rpc::Client& client, auto done) {
    wire::BackupPartRequest request;
    request.protocol_version = wire::g_common_constants.PROTOCOL_VERSION;
    request.snapshot = backup;
    request.offset = offset;
    ASSENT_CALL(wire::CoordinatorAdmin, backup_part, wire::BackupPartReply)
    (client, request, kCallMax, std::move(done));
  });
}

Result<wire::ParticipantsReply> GroupClient::participants() {
  return impl_->ask_leader_or_any<wire::ParticipantsReply>(
      [](rpc::Client& client, bool any_replica, auto done) {
        wire::ParticipantsRequest request;
        request.protocol_version = wire::g_common_constants.PROTOCOL_VERSION;
        request.any_replica = any_replica;
        ASSENT_CALL(wire::CoordinatorInsight, participants, wire::ParticipantsReply)
        (client, request, kInsightMax, std::move(done));
      });
}

Result<wire::TransactionsReply> GroupClient::transactions(wire::TransactionsRequest request) {
  request.protocol_version = wire::g_common_constants.PROTOCOL_VERSION;
  return impl_->ask_leader_or_any<wire::TransactionsReply>(
      [&](rpc::Client& client, bool any_replica, auto done) {
        request.any_replica = any_replica;
        ASSENT_CALL(wire::CoordinatorInsight, transactions, wire::TransactionsReply)
        (client, request, kInsightMax, std::move(done));
      });
}

const std::string& GroupClient::leader_unreached() const {
  return impl_->leader_unreached();
}

}  // namespace assent::cli
