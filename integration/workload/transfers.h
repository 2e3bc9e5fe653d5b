// Money moves: each client, again and again, takes an amount from an account of one participant and
// puts it on an account of another, in one transaction. With a single participant both accounts are
// its own. The sum over all participants never changes.
#pragma once

#include <array>
#include <cstdint>
#include <random>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "assent/client.h"
#include "integration/workload/receipts.h"
#include "integration/workload/recorder.h"

namespace assent::workload {

struct TransferOptions {
  std::vector<std::string> participants;  // at least one, each with a table accounts(id, balance)
  bool one_shot = false;                  // the statements travel with the commit
  std::uint32_t clients = 8;
  std::int64_t accounts = 1'000;  // ids 1 to this, on every participant
  std::int64_t amount = 1;
  CommitOptions commit;
  std::uint64_t seed = 1;
};

// Runs the clients, a thread each, from its construction until stop().
class Transfers {
 public:
  // The references outlive this, and so do the `receipts`, if any: then each branch writes its
  // transfer's name into a table receipts(transfer text).
  Transfers(Client& client, TransferOptions options, Recorder& recorder,
            Receipts* receipts = nullptr);

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
  static std::pair<std::string_view, std::int64_t> place_of(const Change& change);
  CommitResult transfer(Random& random);
  CommitResult transfer_in_steps(const Changes& changes, const std::string& name);
  CommitResult transfer_at_once(const Changes& changes, const std::string& name);
  [[nodiscard]] const char* statement() const;
  [[nodiscard]] std::vector<Parameter> parameters(const Change& change,
                                                  const std::string& name) const;
  Changes pick_changes(Random& random) const;
  std::int64_t pick_account(Random& random) const;

  Client& client_;
  const TransferOptions options_;
  Recorder& recorder_;
  Receipts* const receipts_;
  std::vector<std::jthread> threads_;  // last: they use all of the above
};

}  // namespace assent::workload
