// Asks who answers at an address where an agent has enrolled: that very life, or it is gone.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/time.h"
#include "coordinator/server/enrolment.h"

namespace boost::asio {
class io_context;
}

namespace assent::coordinator {

class LifeInquiry {
 public:
  // The loop outlives this.
  LifeInquiry(boost::asio::io_context& loop, std::string cluster);
  ~LifeInquiry();

  // `done` is called once, never from inside ask(); not at all when this goes first. kGone: nobody
  // listens there, or somebody else does. kUnknown: no answer within half a second, or one that
  // names nobody.
  void ask(const std::string& participant, const state::ParticipantRecord& life,
           std::function<void(Presence)> done);

 private:
  struct Question;

  void end(const Question* question, Presence presence);

  boost::asio::io_context& loop_;
  const std::string cluster_;
  std::vector<std::unique_ptr<Question>> questions_;  // those without an answer
};

}  // namespace assent::coordinator
