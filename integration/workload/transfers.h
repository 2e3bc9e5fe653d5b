// Money moves: each client, again and again, takes an amount from an account of one participant and
// puts it on an account of another, in one transaction. The sum over all participants never
// changes.
#pragma once

#include <array>
#include <cstdint>
#include <random>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "assent/client.h"
#include "integration/workload/recorder.h"

namespace assent::workload {

struct TransferOptions {
  std::vector<std::string> participants;  // two or more, each with a table accounts(id, balance)
  std::uint32_t clients = 8;
  std::int64_t accounts = 1'000;  // ids 1 to this, on every participant
  std::int64_t amount = 1;
  CommitOptions commit;
  std::uint64_t seed = 1;
};

// Runs the clients, a thread each, from its construction until stop().
class Transfers {
 public:
  // Both references outlive this.
  Transfers(Client& client, TransferOptions options, Recorder& recorder);

  // Waits until every client has finished the transaction that it is at.
  void stop();

 private:
  using Random = std::mt19937_64;
  // Of the balance of one account; negative takes.
  struct Change {
    std::string participant;
    std::int64_t amount = 0;
    std::int64_t account = 0;
  };
  using Changes = std::array<Change, 2>;

  void run_client(const std::stop_token& stopping, std::uint64_t number);
  static Error no_account(const Change& change);
  CommitResult transfer(Random& random);
  Changes pick_changes(Random& random) const;
  std::int64_t pick_account(Random& random) const;

  Client& client_;
  const TransferOptions options_;
  Recorder& recorder_;
  std::vector<std::jthread> threads_;  // last: they use all of the above
};

}  // namespace assent::workload
