// What one transaction meets with, across all parties, out of the trace of a run.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "tests/simulation/trace.h"

namespace assent::simulation::system {

// The event with which a client begins a transaction.
inline constexpr std::string_view kBegins = "begins";

// The first that the text names.
std::optional<TransactionId> find_transaction(std::string_view text);

// Writes an event to standard output, with the name of whoever it is of.
void tell(const TraceLine& line);

// Tells every event that names the transaction, and between its first and its last what befalls
// processes, databases and the network; nothing of other transactions.
class Story {
 public:
  using Tell = std::function<void(const TraceLine&)>;

  // `tell` gets the lines of the story, in which the transaction is called T.
  explicit Story(const TransactionId& transaction, Tell tell = system::tell);

  void take(const TraceLine& line);

 private:
  struct Kept {
    Micros when;
    std::uint32_t who;
    std::string what;
    std::string text;
  };

  const std::string id_;
  const Tell tell_;
  bool begun_ = false;
  std::vector<Kept> between_;  // since the last event that names it
};

}  // namespace assent::simulation::system
