// The replicated log of a group: runs the PURE core of one replica, and gives it a disk, the
// other replicas and clocks.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "coordinator/replica/admission.h"
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
  std::string peer_address;  // this replica's own
  // Peer ports of the others, as the configuration has them.
  std::map<ReplicaId, std::string> peers;
  // Called on the event loop. Between the two this replica holds the office: only then may
  // propose() be called.
  std::function<void()> office_taken;
  // Nobody who waits for a command is called any more. Who waits for a read is, afterwards: it is
  // not current.
  std::function<void()> office_lost;
  // This replica must not take part: it has another disk than the group knows, and has forgotten
  // what it promised; or it met an entry that a newer version wrote. Called once, on the loop; the
  // process should end.
  std::function<void(const Error&)> refused{};
};

class GroupLog final : public state::ReplicatedLog {
 public:
  // The loop outlives the log. No callback may destroy it.
  GroupLog(boost::asio::io_context& loop, GroupLogOptions options);
  ~GroupLog() override;

  // Reads the log of earlier lives, then takes part in the group: at once, or from a disk that is
  // new once enough of the others know it (replica::Admission). Errors: ReplicaLog::open.
  Result<void> open();

  // This replica's disk. Precondition: opened.
  [[nodiscard]] DiskIncarnation disk() const { return storage_.identity().incarnation; }
  // It takes part; until then only greetings are exchanged.
  [[nodiscard]] bool admitted() const { return open_; }
  // A member introduces itself: the disk by which the group knows it, or else this replica, which
  // is this one when it was not met before. An error: that could not be written down.
  Result<DiskIncarnation> meet(ReplicaId member, DiskIncarnation disk);
  // A member speaks whose state comes from this backup; 0: from none. kIdentityMismatch: this
  // replica's comes from another one, and they are not of one log (R15).
  [[nodiscard]] Result<void> check_origin(ReplicaId member, std::uint64_t restored_from) const;
  // A member speaks from this disk. kIdentityMismatch: it is known by another one.
  Result<void> check_disk(ReplicaId member, DiskIncarnation disk);

  // A part of a kept snapshot's content, as much as fits well into a message. kExpired: it is not
  // kept any more; kInvalidArgument: its content ends before `offset`.
  [[nodiscard]] Result<std::string> snapshot_part(const paxos::SnapshotInfo& snapshot,
                                                  std::uint64_t offset) const;

  // Takes a snapshot of the state as it is now; `done` gets it when it is durable here.
  void backup(SnapshotKeeper::GotBackup done) { keeper_.backup(std::move(done)); }

  // A message of another replica came in. Precondition: the message is checked.
  void deliver(ReplicaId from, const paxos::Message& message);
  // Where a replica that speaks is reached, should nobody have told it yet.
  void learn_address(ReplicaId peer, const std::string& address) { peers_.meet(peer, address); }

  // Asks the member that is furthest to take the office over, or after it another one; this one
  // goes on until it has. Without office or without another member nothing happens.
  void hand_over();
  // The same, of this member.
  void hand_over(ReplicaId to);

  void propose(state::Command command, OnExecuted done) override;
  [[nodiscard]] bool congested() const override;
  void read(OnRead done) override;
  [[nodiscard]] const state::StateMachine& state() const override { return core_.state(); }
  [[nodiscard]] Ballot ballot() const override;
  [[nodiscard]] LogTime now() const override;

  // The disk has no room for more log than what is reserved: this replica steps aside.
  [[nodiscard]] bool disk_short() const { return storage_.counters().short_of_space; }
  [[nodiscard]] bool serving() const { return core_.serving(); }
  // The member that leads, as far as is known here.
  [[nodiscard]] std::optional<ReplicaId> leader() const { return core_.consensus().leader(); }
  [[nodiscard]] const paxos::Consensus& consensus() const { return core_.consensus(); }
  [[nodiscard]] const PeerLinks& peers() const { return peers_; }
  [[nodiscard]] const storage::ReplicaLog& storage() const { return storage_; }
  [[nodiscard]] const SnapshotKeeper& snapshots() const { return keeper_; }

 private:
  [[nodiscard]] storage::ReplicaLogOptions storage_options();
  [[nodiscard]] SnapshotKeeper::Outside outside();
  void on_space(bool is_short);
  void step_aside();
  [[nodiscard]] Result<void> restore();
  void take_part();
  void greet(ReplicaId peer);
  void greet_all();
  void greeted(ReplicaId peer, const Result<PeerLinks::Greeting>& greeting);
  void tell_once(ReplicaId peer, const std::string& sentence);
  [[nodiscard]] Result<void> lose_records(const storage::LogDamage& damage);
  void tell_damage() const;
  void install(std::shared_ptr<state::StateMachine> state);
  void feed(const replica::Input& input);
  void carry_out(replica::Effects effects);
  void end(const Error& why);
  void change_office(const replica::OfficeChange& change);
  void answer(const std::vector<replica::Executed>& executed);
  void answer(const std::vector<replica::ReadToken>& reads, bool current);
  void follow_group();
  void tell_disks();
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
  DeadlineTimer aside_timer_;           // when the office is offered to another member again
  std::optional<ReplicaId> handed_to_;  // who was asked last
  std::optional<MonoTime> armed_for_;   // no later than the core's next deadline
  std::optional<replica::Admission> admission_;  // from open() on
  DeadlineTimer greet_timer_;                    // while others must know this disk
  std::map<ReplicaId, std::string> complaints_;  // of each member, the last
  bool open_ = false;                            // takes part
  std::map<ReplicaId, state::Member> followed_;  // the replicas whose addresses are followed

  std::set<ReplicaId> heard_;  // took part in consensus, in this life of this replica
  bool disks_due_ = true;      // one may be known here, and not in the log

  bool turn_end_posted_ = false;
  bool submitted_ = false;  // commands, in this turn

  replica::CommandToken last_command_;
  replica::ReadToken last_read_;
  std::unordered_map<replica::CommandToken, OnExecuted> executing_;
  std::unordered_map<replica::ReadToken, OnRead> reading_;
  std::shared_ptr<char> alive_;  // what is posted holds it weakly
};

}  // namespace assent::coordinator
