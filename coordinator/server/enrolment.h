// Enrolment of agents (R16): who is alive, and whether a new life may take a participant over.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/ids.h"
#include "base/time.h"
#include "coordinator/state/replicated_log.h"

namespace assent::coordinator {

// Whether a life of an agent still answers where it enrolled.
enum class Presence { kThere, kGone, kUnknown };

class Enrolment {
 public:
  template <class T>
  using Done = std::function<void(Result<T>)>;
  // Called when a life, which has this nonce, has been issued its epoch: it is reached at
  // `peer_address`.
  using OnEnrolled = std::function<void(const std::string& participant,
                                        const std::string& peer_address, const std::string& nonce)>;

  // Called when a life has said that what is prepared at it can be ended from now on.
  using OnRecovered = std::function<void(const std::string& participant)>;
  // Finds out about a life; it calls back once, or never when the office is lost first.
  using AskLife =
      std::function<void(const std::string& participant, const state::ParticipantRecord& life,
                         std::function<void(Presence)> done)>;

  struct Callbacks {
    OnEnrolled enrolled;
    OnRecovered recovered = [](const std::string&) {};
    AskLife ask_life = nullptr;  // none: nobody is ever known to be gone
  };

  // `silence`: an agent without a heartbeat for this long counts as gone. A life that this office
  // has never heard of may still be at work, so every enrolled agent counts as heard of at `now`.
  Enrolment(state::ReplicatedLog& log, Millis silence, MonoTime now, Callbacks callbacks);

  // Issues an epoch through the log. kDisplaced while another life is alive: it was heard of, and
  // is not known to be gone. That spares a life at work from one that was started by mistake; it is
  // the fence in the database that keeps two lives apart.
  void enrol(MonoTime now, const state::Enrolled& request, Done<Epoch> done);

  // What a heartbeat says beside that the life goes on.
  struct Beat {
    bool leaving = false;
    bool recovered = false;  // what is prepared can be ended from now on, and could not be before
    std::uint64_t landmark = 0;      // WAL position of its landmark; 0: none is told
    std::string admin_address = {};  // where administrators reach it; empty: it is not told
  };

  // kUnknownParticipant, or kDisplaced when a newer life was issued its epoch: only when that is
  // so, for an agent ends its life then. A leader that does not know yet that it was succeeded
  // knows nothing of epochs that its successor issued; what it does not know it reads from the log
  // first. kUnavailable: this replica cannot tell.
  void heartbeat(MonoTime now, const std::string& participant, Epoch epoch, Beat beat,
                 Done<void> done);

  // The office was lost: whoever waits is told to ask again. Nothing else is called afterwards.
  void lose_office();

  [[nodiscard]] bool alive(MonoTime now, const std::string& participant) const;

  // What the latest heartbeat that this office has heard of the participant's present life said.
  struct Heard {
    MonoTime at;
    std::string admin_address;
  };
  // None: it has heard none.
  [[nodiscard]] std::optional<Heard> heard(const std::string& participant) const;

 private:
  [[nodiscard]] Result<void> take_heartbeat(MonoTime now, const std::string& participant,
                                            Epoch epoch, Beat beat);
  void ask_for(MonoTime now, const state::Enrolled& request, const state::ParticipantRecord& life,
               Done<Epoch> done);
  void note_landmark(const std::string& participant, const state::Landmark& landmark);
  void propose(MonoTime now, const state::Enrolled& request, Done<Epoch> done);
  void take_result(MonoTime now, const state::Enrolled& request, const state::CommandResult& result,
                   const Done<Epoch>& done);

  state::ReplicatedLog& log_;
  const Millis silence_;
  const Callbacks callbacks_;
  // When each participant's present life was last heard of; absent: it said that it leaves.
  std::map<std::string, MonoTime> heard_;
  // Of heartbeats alone, by the epoch that sent them.
  std::map<std::string, std::pair<Epoch, Heard>> beats_;
  // Nonces of the enrolments that the log has not executed yet, by participant.
  std::map<std::string, std::string> proposed_;
  // Whose landmark is on its way through the log.
  std::set<std::string> noting_;
  // Who waits for the log, in the order of asking.
  std::map<std::uint64_t, std::function<void(Error)>> waiting_;
  std::uint64_t last_waiter_ = 0;
  // Reads hold it weakly: the log answers those of a lost office when this is gone.
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

}  // namespace assent::coordinator
