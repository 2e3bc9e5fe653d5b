#include "tests/simulation/shelf.h"

#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace assent::simulation {
namespace {

constexpr std::size_t kSnapshotsKept = 2;

}  // namespace

void add_chunk(std::string& content, const std::string& chunk) {
  const auto length = static_cast<std::uint32_t>(chunk.size());
  content.append(reinterpret_cast<const char*>(&length), sizeof length);
  content += chunk;
}

std::uint64_t id_of(const std::string& content) {
  return XXH3_64bits(content.data(), content.size());
}

std::shared_ptr<state::StateMachine> state_of(const std::string& content,
                                              const state::StateOptions& options) {
  auto state = std::make_shared<state::StateMachine>(options);
  std::uint32_t length = 0;
  for (std::size_t at = 0; at < content.size(); at += length) {
    if (content.size() - at < sizeof length) return nullptr;
    std::memcpy(&length, content.data() + at, sizeof length);
    at += sizeof length;
    if (content.size() - at < length || !state->load(content.substr(at, length))) return nullptr;
  }
  return state;
}

const StoredSnapshot* Shelf::find(const paxos::SnapshotInfo& info) const {
  const auto found =
      std::find_if(kept_.begin(), kept_.end(), [&](const auto& one) { return one.info == info; });
  return found == kept_.end() ? nullptr : &*found;
}

RecordNumber Shelf::needed_from() const {
  if (kept_.size() < kSnapshotsKept) return 0;
  return std::min_element(
             kept_.begin(), kept_.end(),
             [](const auto& a, const auto& b) { return a.replay_from < b.replay_from; })
      ->replay_from;
}

void Shelf::keep(StoredSnapshot snapshot) {
  if (newest() != nullptr && snapshot.info.through <= newest()->info.through) return;
  kept_.push_back(std::move(snapshot));
  if (kept_.size() > kSnapshotsKept) kept_.erase(kept_.begin());
}

std::uint64_t Shelf::incoming(const paxos::SnapshotInfo& info) {
  if (incoming_ != info) incoming_bytes_.clear();
  incoming_ = info;
  return incoming_bytes_.size();
}

std::string Shelf::take_incoming() {
  incoming_.reset();
  return std::exchange(incoming_bytes_, {});
}

}  // namespace assent::simulation
