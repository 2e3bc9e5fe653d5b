// The replicated log of a group: runs the PURE core of one replica, and gives it a disk, the
// other replicas and clocks.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "coordinator/replica/core.h"
#include "coordinator/server/peer_links.h"
#include "coordinator/server/snapshot_keeper.h"
#include "coordinator/state/replicated_log.h"
#include "coordinator/storage/replica_log.h"
#include "runtime/deadline_timer.h"

namespace boost::asio {
class io_context;
}

namespace assent::coordinator {

struct GroupLogOptions {
  storage::ReplicaLogOptions storage;
  replica::Options core;
  SnapshotOptions snapshots{};
  std::map<ReplicaId, std::string> peers;  // peer ports of the other members
  // Called on the event loop. Between the two this replica holds the office: only then may
  // propose() be called.
  std::function<void()> office_taken;
  // Nobody who waits for a command is called any more. Who waits for a read is, afterwards: it is
  // not current.
  std::function<void()> office_lost;
};

class GroupLog final : public state::ReplicatedLog {
 public:
  // The loop outlives the log. No callback may destroy it.
  GroupLog(boost::asio::io_context& loop, GroupLogOptions options);
  ~GroupLog() override;

  // Reads the log of earlier lives, then takes part in the group. Errors: ReplicaLog::open.
  Result<void> open();

  // A part of a kept snapshot's content, as much as fits well into a message. kExpired: it is not
  // kept any more; kInvalidArgument: its content ends before `offset`.
  [[nodiscard]] Result<std::string> snapshot_part(const paxos::SnapshotInfo& snapshot,
                                                  std::uint64_t offset) const;

  // A message of another member came in. Precondition: `from` is one, and the message is checked.
  void deliver(ReplicaId from, const paxos::Message& message);

  // Asks the member that is furthest to take the office over; this one goes on until it has.
  // Without office or without another member nothing happens.
  void hand_over();

  void propose(state::Command command, OnExecuted done) override;
  [[nodiscard]] bool congested() const override;
  void read(OnRead done) override;
  [[nodiscard]] const state::StateMachine& state() const override { return core_.state(); }
  [[nodiscard]] Ballot ballot() const override;
  [[nodiscard]] LogTime now() const override;

  [[nodiscard]] bool serving() const { return core_.serving(); }
  // The member that leads, as far as is known here.
  [[nodiscard]] std::optional<ReplicaId> leader() const { return core_.consensus().leader(); }
  [[nodiscard]] const paxos::Consensus& consensus() const { return core_.consensus(); }
  [[nodiscard]] const PeerLinks& peers() const { return peers_; }
  [[nodiscard]] const storage::ReplicaLog& storage() const { return storage_; }
  [[nodiscard]] const SnapshotKeeper& snapshots() const { return keeper_; }

 private:
  [[nodiscard]] SnapshotKeeper::Outside outside();
  [[nodiscard]] Result<void> restore();
  void install(std::shared_ptr<state::StateMachine> state);
  void feed(const replica::Input& input);
  void carry_out(replica::Effects effects);
  void change_office(const replica::OfficeChange& change);
  void answer(const std::vector<replica::Executed>& executed);
  void answer(const std::vector<replica::ReadToken>& reads, bool current);
  void schedule_turn_end();
  void end_turn();
  void arm();
  [[nodiscard]] static replica::Now clocks();

  boost::asio::io_context& loop_;
  const GroupLogOptions options_;
  storage::ReplicaLog storage_;
  mutable replica::Core core_;  // its log time advances when it is asked for
  PeerLinks peers_;
  SnapshotKeeper keeper_;
  DeadlineTimer timer_;
  std::optional<MonoTime> armed_for_;  // no later than the core's next deadline
  bool open_ = false;

  bool turn_end_posted_ = false;
  bool submitted_ = false;  // commands, in this turn

  replica::CommandToken last_command_;
  replica::ReadToken last_read_;
  std::unordered_map<replica::CommandToken, OnExecuted> executing_;
  std::unordered_map<replica::ReadToken, OnRead> reading_;
  std::shared_ptr<char> alive_;  // what is posted holds it weakly
};

}  // namespace assent::coordinator
