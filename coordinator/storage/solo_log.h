// The replicated log of a group of one replica: an entry is chosen when it is durable here.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "coordinator/state/replicated_log.h"
#include "coordinator/storage/write_ahead_log.h"

namespace assent::storage {

struct SoloLogOptions {
  WriteAheadLogOptions log;
  state::StateOptions state;
  ReplicaId replica{1};                    // the log of another replica is refused
  std::size_t entry_commands_max = 4'096;  // commands of one slot
  // The two clocks, in milliseconds; called on the event loop only.
  std::function<MonoTime()> monotonic_now;
  std::function<std::int64_t()> wall_now_ms;
  // Runs a function in a later turn of the event loop.
  std::function<void(std::function<void()>)> post;
};

class SoloLog final : public state::ReplicatedLog {
 public:
  // Replays the log and takes office under a ballot higher than any in it. `taken` runs on the
  // event loop when the ballot's own OfficeTaken has been executed; propose() only after that (R1).
  static Result<std::unique_ptr<SoloLog>> open(SoloLogOptions options, std::function<void()> taken);

  // No callback runs after it; one of them may be its caller. The fate of commands that were not
  // answered is unknown.
  ~SoloLog() override;

  void propose(state::Command command, OnExecuted done) override;
  [[nodiscard]] const state::StateMachine& state() const override;
  [[nodiscard]] Ballot ballot() const override;
  [[nodiscard]] LogTime now() const override;

  [[nodiscard]] const WriteAheadLogCounters& counters() const;
  // Slots replayed and bytes cut off at open.
  [[nodiscard]] std::uint64_t replayed() const;
  [[nodiscard]] std::uint64_t torn_bytes() const;

 private:
  class Impl;
  explicit SoloLog(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;  // what is posted holds it weakly
};

}  // namespace assent::storage
