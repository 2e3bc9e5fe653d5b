// Messages that wait for what they say to be durable (R2).
#pragma once

#include <cstddef>
#include <deque>
#include <vector>

#include "coordinator/paxos/message.h"
#include "coordinator/paxos/record.h"

namespace assent::paxos {

class Outbox {
 public:
  // At most `waiting_max` messages wait; one more is dropped, as a network would.
  explicit Outbox(std::size_t waiting_max) : waiting_max_(waiting_max) {}

  // Numbers a record that goes to the log.
  RecordIndex written() { return last_ = last_.next(); }
  [[nodiscard]] RecordIndex last_written() const { return last_; }
  [[nodiscard]] RecordIndex durable() const { return durable_; }
  [[nodiscard]] bool all_durable() const { return durable_ == last_; }

  // Sends now if every record so far is durable, or when it is. Messages keep their order.
  void send(Envelope envelope, std::vector<Envelope>& out);

  // Every record up to this one is durable: lets go what waited for it.
  void persisted(RecordIndex through, std::vector<Envelope>& out);

 private:
  struct Waiting {
    RecordIndex behind;
    Envelope envelope;
  };

  const std::size_t waiting_max_;
  RecordIndex last_;
  RecordIndex durable_;
  std::deque<Waiting> waiting_;
};

}  // namespace assent::paxos
