// The agent's side of enrolment: asks the coordinator for an epoch, then says that it lives.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "participant/postgres/database.h"
#include "participant/server/config.h"

namespace boost::asio {
class io_context;
}

namespace assent::participant {

// What the coordinator issued to this life.
struct Enrolment {
  Epoch epoch;
  Ballot ballot;
  std::optional<Error> refuses = std::nullopt;  // present: no new branch may begin
};

// What this life has found of its database, for the log to compare with what it knows (R16).
struct FoundDatabase {
  postgres::Position position;
  Epoch stored_epoch;
  postgres::StoredLandmark landmark = {};  // of `stored_epoch`
};

class Registration {
 public:
  template <class T>
  using Done = std::function<void(Result<T>)>;

  // `config` and the loop outlive the registration.
  Registration(boost::asio::io_context& loop, const Config& config);
  ~Registration();

  // Asks the leader, or one replica after the other until the leader is found, for as long as it
  // takes: without the coordinator nothing could be decided anyway. Fails only with what waiting
  // does not mend: kDisplaced (another life is alive beyond displaced_wait), kIdentityMismatch,
  // kWrongCluster, kInvalidArgument …
  void enrol(const FoundDatabase& found, Done<Enrolment> done);

  // Heartbeats from now on, to whoever leads; the first one that is heard says that this life has
  // recovered(). No answer, and none that says so, ends this life.
  // `displaced` is called once, when a newer life was issued its epoch (kDisplaced), or the
  // coordinator knows of no such life (kUnknownParticipant: it was restored from a backup);
  // `floor` whenever the coordinator tells its floor (R14).
  void keep_alive(Epoch epoch, std::function<void(Error)> displaced,
                  std::function<void(LogTime)> floor);

  // What is prepared can be ended from now on, and could not be before: says so at once, and again
  // until a leader has heard it. After keep_alive().
  void recovered();

  // Called with false when no leader has answered for the time of several heartbeats, with true
  // when one does again; both are logged, the silence each minute. Set it before keep_alive().
  void on_heard(std::function<void(bool heard)> observer);

  // Asked at each heartbeat for this life's landmark, in bytes of WAL; 0: there is none yet. Set it
  // before keep_alive().
  void on_landmark(std::function<std::uint64_t()> asked);

  // Called whenever a leader has told whether new branches may begin; set it before keep_alive().
  void on_admission(std::function<void(Ballot, std::optional<Error> refuses)> observer);

  // Names this life, for ever.
  [[nodiscard]] const std::string& nonce() const;

  // Says that this life ends, so that the next need not wait; calls `done` when said, or in vain.
  void leave(std::function<void()> done);

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace assent::participant
