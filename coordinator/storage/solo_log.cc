#include "coordinator/storage/solo_log.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "coordinator/storage/entry_record.h"
#include "coordinator/storage/log_clock.h"

namespace assent::storage {
namespace {

// What the records of a log add up to.
struct Replayed {
  state::StateMachine state;
  Ballot highest;
};

Result<void> replay_entry(std::string_view payload, ReplicaId replica, Replayed& replayed) {
  const Result<EntryRecord> record = decode_entry_record(payload);
  if (!record) return tl::unexpected(record.error());
  const Slot expected = replayed.state.executed().next();
  if (record->slot != expected) {
    return failure(ErrorCode::kInternal, "the record holds slot " + to_string(record->slot) +
                                             " where slot " + to_string(expected) + " belongs");
  }
  if (record->ballot.replica != replica) {
    return failure(ErrorCode::kIdentityMismatch, "the log was written by replica " +
                                                     to_string(record->ballot.replica) +
                                                     ", and this is replica " + to_string(replica) +
                                                     ": correct the replica id or the directory");
  }
  if (record->ballot < replayed.highest) {
    return failure(ErrorCode::kInternal, "ballot " + to_string(record->ballot) +
                                             " follows the higher ballot " +
                                             to_string(replayed.highest));
  }
  replayed.highest = record->ballot;
  replayed.state.execute(record->slot, record->entry);
  return {};
}

Ballot next_ballot(const Ballot& highest, ReplicaId replica) {
  const Incarnation incarnation = std::max(highest.incarnation, Incarnation(1));
  return {incarnation, highest.round.next(), replica};
}

// The first entry of all begins with the wall clock: there is nothing yet that it could expire.
LogTime start_time(const state::StateMachine& state, const SoloLogOptions& options) {
  return state.executed() == Slot(0) ? LogTime(options.wall_now_ms()) : state.time();
}

// Commands on their way into the log, each with who wants to hear of it.
struct Proposals {
  std::vector<state::Command> commands;
  std::vector<state::ReplicatedLog::OnExecuted> done;

  void add(state::Command command, state::ReplicatedLog::OnExecuted on_executed) {
    commands.push_back(std::move(command));
    done.push_back(std::move(on_executed));
  }
};

// Moves what `from` has beyond its first `keep` elements in front of all of `to`.
template <class T>
void give_back(std::vector<T>& from, std::size_t keep, std::vector<T>& to) {
  if (from.size() <= keep) return;
  const auto rest = from.begin() + static_cast<std::ptrdiff_t>(keep);
  to.insert(to.begin(), std::make_move_iterator(rest), std::make_move_iterator(from.end()));
  from.erase(rest, from.end());
}

}  // namespace

class SoloLog::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(SoloLogOptions options, WriteAheadLog::Opened opened, Replayed replayed);

  void take_office(std::function<void()> taken);
  void propose(state::Command command, OnExecuted done);
  void on_durable();
  void close() { closed_ = true; }

  [[nodiscard]] const state::StateMachine& state() const { return state_; }
  [[nodiscard]] Ballot ballot() const { return ballot_; }
  [[nodiscard]] LogTime now() { return clock_.advance(options_.monotonic_now(), wall_now()); }
  [[nodiscard]] const WriteAheadLogCounters& counters() const { return log_->counters(); }
  [[nodiscard]] std::uint64_t replayed() const { return replayed_.value; }
  [[nodiscard]] std::uint64_t torn_bytes() const { return torn_bytes_; }

 private:
  [[nodiscard]] LogTime wall_now() const { return LogTime(options_.wall_now_ms()); }
  void enqueue(state::Command command, OnExecuted done);
  void cut_entry();
  [[nodiscard]] std::string encode_flushing();
  void keep_first(std::size_t count);
  void answer(const std::vector<state::CommandResult>& results);

  const SoloLogOptions options_;
  const Slot replayed_;
  const std::uint64_t torn_bytes_;
  const Ballot ballot_;
  state::StateMachine state_;
  LogClock clock_;
  bool in_office_ = false;  // the OfficeTaken of ballot_ has been executed
  bool closed_ = false;

  // Commands wait for the next entry here. While `flushing_` nothing is cut: the end of the flush
  // cuts what has gathered. Otherwise, as soon as something waits, a cut is posted.
  Proposals waiting_;
  bool cut_posted_ = false;

  // The entry in the write-ahead log that is not durable yet, if `flushing_`.
  bool flushing_ = false;
  state::Entry entry_;
  std::vector<OnExecuted> done_;

  std::unique_ptr<WriteAheadLog> log_;  // last: its destructor writes out the entry
};

SoloLog::Impl::Impl(SoloLogOptions options, WriteAheadLog::Opened opened, Replayed replayed)
    : options_(std::move(options)),
      replayed_(replayed.state.executed()),
      torn_bytes_(opened.torn_bytes),
      ballot_(next_ballot(replayed.highest, options_.replica)),
      state_(std::move(replayed.state)),
      clock_(start_time(state_, options_), options_.monotonic_now()),
      log_(std::move(opened.log)) {}

void SoloLog::Impl::take_office(std::function<void()> taken) {
  enqueue(state::OfficeTaken{ballot_},
          [this, taken = std::move(taken)](const state::CommandResult&) {
            in_office_ = true;
            taken();
          });
}

void SoloLog::Impl::propose(state::Command command, OnExecuted done) {
  CHECK(in_office_, "a leader serves nothing before it has executed its own OfficeTaken (R1)");
  enqueue(std::move(command), std::move(done));
}

void SoloLog::Impl::enqueue(state::Command command, OnExecuted done) {
  waiting_.add(std::move(command), std::move(done));
  if (flushing_ || cut_posted_) return;
  cut_posted_ = true;
  options_.post([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->cut_entry();
  });
}

void SoloLog::Impl::cut_entry() {
  CHECK(!flushing_, "one entry at a time: its results come before the next is timed");
  cut_posted_ = false;
  flushing_ = true;
  // Swapped, not moved: both keep their memory for later entries.
  std::swap(entry_.commands, waiting_.commands);
  std::swap(done_, waiting_.done);
  keep_first(options_.entry_commands_max);
  entry_.time = now();
  std::string payload = encode_flushing();
  const Record record{RecordType::kEntry, std::move(payload)};
  log_->append({&record, 1});
}

// Halves the entry until a record holds it.
std::string SoloLog::Impl::encode_flushing() {
  const Slot slot = state_.executed().next();
  for (;;) {
    const std::string entry = state::encode(entry_);
    if (kEntryPrefixBytes + entry.size() <= options_.log.record_bytes_max) {
      return encode_entry_record(slot, ballot_, entry);
    }
    CHECK_LT(1u, entry_.commands.size(), "every command must fit into a record");
    keep_first(entry_.commands.size() / 2);
  }
}

void SoloLog::Impl::keep_first(std::size_t count) {
  give_back(entry_.commands, count, waiting_.commands);
  give_back(done_, count, waiting_.done);
}

void SoloLog::Impl::on_durable() {
  const auto results = state_.execute(state_.executed().next(), entry_);
  CHECK_EQ(results.size(), entry_.commands.size(), "every command is answered");
  answer(results);
  if (closed_) return;
  entry_.commands.clear();
  done_.clear();
  flushing_ = false;
  if (!waiting_.commands.empty()) cut_entry();
}

// A callback may propose: that waits, since `flushing_` still holds. It may also close the log.
void SoloLog::Impl::answer(const std::vector<state::CommandResult>& results) {
  for (std::size_t i = 0; i < results.size() && !closed_; ++i) {
    if (done_[i]) done_[i](results[i]);
  }
}

Result<std::unique_ptr<SoloLog>> SoloLog::open(SoloLogOptions options,
                                               std::function<void()> taken) {
  Replayed replayed{state::StateMachine(options.state), {}};
  const auto flushed_of = std::make_shared<std::weak_ptr<Impl>>();
  auto opened = WriteAheadLog::open(
      options.log,
      [&](const FoundInLog& record) {
        return replay_entry(record.payload, options.replica, replayed);
      },
      [flushed_of](const Flushed&) {
        if (const auto self = flushed_of->lock()) self->on_durable();
      });
  if (!opened) return tl::unexpected(std::move(opened.error()));
  auto impl = std::make_shared<Impl>(std::move(options), std::move(*opened), std::move(replayed));
  *flushed_of = impl;
  impl->take_office(std::move(taken));
  return std::unique_ptr<SoloLog>(new SoloLog(std::move(impl)));
}

SoloLog::SoloLog(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
SoloLog::~SoloLog() {
  impl_->close();
}

void SoloLog::propose(state::Command command, OnExecuted done) {
  impl_->propose(std::move(command), std::move(done));
}
const state::StateMachine& SoloLog::state() const {
  return impl_->state();
}
Ballot SoloLog::ballot() const {
  return impl_->ballot();
}
LogTime SoloLog::now() const {
  return impl_->now();
}
const WriteAheadLogCounters& SoloLog::counters() const {
  return impl_->counters();
}
std::uint64_t SoloLog::replayed() const {
  return impl_->replayed();
}
std::uint64_t SoloLog::torn_bytes() const {
  return impl_->torn_bytes();
}

}  // namespace assent::storage
