// What assentctl asks of the replicas of a coordinator, call by call: a verb is a sequence of
// questions, and waits for each answer.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/time.h"
#include "wire/insight_types.h"

namespace assent::cli {

class GroupClient {
 public:
  // Admin ports, "host:port", of any replicas of the group: the leader is found among them and
  // those that they name. At least one.
  // `leader_max`: how long a leader is looked for.
  explicit GroupClient(std::vector<std::string> addresses, Millis leader_max = Millis(10'000));
  ~GroupClient();

  // Each asks the leader, and looks for it for as long as an election takes. kUnavailable: no
  // leader was found; what each replica said stands in the message.
  Result<wire::GroupReply> group();
  Result<wire::ChangeGroupReply> change(const wire::ChangeGroupRequest& request);
  Result<wire::TransferLeaderReply> transfer(std::int32_t to);
  Result<wire::HeuristicsReply> heuristics();
  Result<wire::ForgetHeuristicReply> forget_heuristic(const std::string& transaction,
                                                      const std::string& operator_name,
                                                      const std::string& reason);

  // So many of those that nobody tells of any more.
  Result<wire::ForgetHeuristicReply> forget_untold(std::int64_t count,
                                                   const std::string& operator_name,
                                                   const std::string& reason);

  Result<wire::ChangeParticipantReply> change_participant(
      const wire::ChangeParticipantRequest& request);

  Result<wire::ResolveReply> resolve(const wire::ResolveRequest& request);

  // Asked of the replicas that are known, in their order, until one has executed this slot; none is
  // given: until one answers. All parts are asked of the one that took the backup.
  Result<wire::BackupReply> backup(std::optional<std::int64_t> at_least);
  Result<wire::BackupPartReply> backup_part(const wire::SnapshotInfo& backup, std::int64_t offset);

  // Asked of the leader; when none answers, of the replicas that were named, in their order: the
  // viewpoint in the reply says who has answered. kUnavailable: nobody did.
  Result<wire::ParticipantsReply> participants();
  // `request`: its version and `any_replica` are filled in here.
  Result<wire::TransactionsReply> transactions(wire::TransactionsRequest request);
  // Why no leader answered the latest of these; empty: one did.
  [[nodiscard]] const std::string& leader_unreached() const;

  // Lets this much time pass.
  void pause(Millis time);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace assent::cli
