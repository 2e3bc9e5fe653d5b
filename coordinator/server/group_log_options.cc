#include "coordinator/server/group_log_options.h"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <utility>
#include <vector>

#include "runtime/process.h"

namespace assent::coordinator {
namespace {

// Of the log: a value of consensus, which is at most paxos::Options::accept_bytes_max long, and
// what stands beside it.
constexpr std::uint32_t kRecordBytesMax = (1u << 20) + 1'024;

// Log is deleted by whole segments: four of them to a snapshot keep what is held near what is
// needed. The smallest holds the largest record, the largest is quickly prepared.
std::uint64_t segment_bytes(std::uint64_t snapshot_log_bytes) {
  return std::clamp<std::uint64_t>(snapshot_log_bytes / 4, 2u << 20, 16u << 20);
}

std::vector<ReplicaId> members(const Config& config) {
  std::vector<ReplicaId> out;
  for (const auto& [replica, member] : config.group) out.push_back(replica);
  return out;
}

// What the first leader tells the log. Disks become known later.
std::vector<state::Member> founders(const Config& config) {
  std::vector<state::Member> out;
  for (const auto& [replica, member] : config.group) {
    out.push_back(
        {replica, 0, false, member.client_address, member.peer_address, member.admin_address});
  }
  return out;
}

}  // namespace

GroupLogOptions group_log_options(boost::asio::io_context& loop, const Config& config) {
  const paxos::Group group = config.joins ? paxos::Group() : paxos::Group(members(config));
  GroupLogOptions out{};
  out.core.paxos.self = config.replica;
  out.core.paxos.group = group;
  if (!config.joins) out.core.founders = founders(config);
  out.peer_address = config.peer_address;
  out.storage.cluster = config.cluster;
  out.storage.replica = config.replica;
  out.storage.log.directory = config.data_directory;
  out.storage.log.post = [&loop](std::function<void()> work) {
    boost::asio::post(loop, std::move(work));
  };
  out.storage.log.segment_bytes = segment_bytes(config.snapshot_log_bytes);
  out.storage.log.record_bytes_max = kRecordBytesMax;
  out.snapshots.log_bytes = config.snapshot_log_bytes;
  // Who lacks no more than this is sent the values from memory, without a read of the disk.
  out.core.paxos.recent_bytes_max =
      std::min<std::size_t>(out.core.paxos.recent_bytes_max, config.snapshot_log_bytes);
  out.core.paxos.seed = process::random_u64();
  out.core.paxos.heartbeat_every = config.heartbeat_every;
  out.core.paxos.election_min = config.election_min;
  out.core.state.retention = config.retention;
  for (const auto& [replica, member] : config.group) {
    if (replica != config.replica) out.peers[replica] = member.peer_address;
  }
  return out;
}

}  // namespace assent::coordinator
