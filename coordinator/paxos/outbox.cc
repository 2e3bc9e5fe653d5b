#include "coordinator/paxos/outbox.h"

#include <utility>

#include "base/canary.h"
#include "base/check.h"

namespace assent::paxos {

void Outbox::send(Envelope envelope, std::vector<Envelope>& out) {
  if ((all_durable() && waiting_.empty()) || canary(Canary::kAnswerBeforePersist)) {
    out.push_back(std::move(envelope));
  } else if (waiting_.size() < waiting_max_) {
    waiting_.push_back({last_, std::move(envelope)});
  }
}

void Outbox::persisted(RecordIndex through, std::vector<Envelope>& out) {
  CHECK_LE(through, last_, "only what was written becomes durable");
  durable_ = std::max(durable_, through);
  while (!waiting_.empty() && waiting_.front().behind <= durable_) {
    out.push_back(std::move(waiting_.front().envelope));
    waiting_.pop_front();
  }
}

}  // namespace assent::paxos
