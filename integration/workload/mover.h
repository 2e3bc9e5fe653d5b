// What a client of the benchmark does again and again: one transfer over all databases.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "assent/client.h"

namespace assent::workload {

// Of the balance of one account in each database, in the order of the databases. The sum is 0.
struct Change {
  std::int64_t amount = 0;
  std::int64_t account = 0;
};
using Changes = std::vector<Change>;

// Takes from a random account of the first database what it gives to one of each other: with two of
// them 1, as the peers were measured. Precondition: databases > 0; accounts have ids 1 to
// `accounts`.
inline Changes pick_changes(std::size_t databases, std::int64_t accounts, std::mt19937_64& random) {
  std::uniform_int_distribution<std::int64_t> account(1, accounts);
  Changes changes(databases);
  for (Change& change : changes) change = {1, account(random)};
  changes.front().amount = 1 - static_cast<std::int64_t>(databases);
  return changes;
}

// One client with connections of its own; used by one thread at a time.
class Mover {
 public:
  Mover() = default;
  Mover(const Mover&) = delete;
  Mover& operator=(const Mover&) = delete;
  virtual ~Mover() = default;

  // Carries the transfer out and returns when it is answered. Precondition: a change for each
  // database of this client.
  virtual CommitResult move(const Changes& changes) = 0;
};

}  // namespace assent::workload
