// Moves 10 coins from one database to another, in one transaction.
//
//   assent-example-transfer 127.0.0.1:7101 db1 db2
#include <assent/client.h>

#include <iostream>
#include <string>

namespace {

// The purse of a database; made and filled with 100 coins when there is none.
void prepare_purse(assent::Transaction& transaction, const std::string& participant) {
  transaction.execute(participant,
                      "CREATE TABLE IF NOT EXISTS purse (owner text PRIMARY KEY, "
                      "coins bigint NOT NULL CHECK (coins >= 0))");
  transaction.execute(participant, "INSERT INTO purse VALUES ($1, $2) ON CONFLICT DO NOTHING",
                      {"ann", 100});
}

// True when it committed. Statements whose rows are not needed are not checked one by one: commit()
// aborts when any of them failed, and says why.
bool finish(assent::Transaction& transaction) {
  const assent::CommitResult result = transaction.commit();
  switch (result.state) {
    case assent::CommitState::kCommitted:
      return true;
    case assent::CommitState::kAborted:
      std::cerr << "aborted: " << result.reason->message << '\n';
      return false;
    case assent::CommitState::kUnknown:
      std::cerr << "not known yet; ask later about " << result.transaction << '\n';
      return false;
  }
  return false;
}

bool print_balance(assent::Transaction& transaction, const std::string& participant) {
  const auto rows =
      transaction.execute(participant, "SELECT coins FROM purse WHERE owner = $1", {"ann"});
  const auto coins = rows.and_then([](const auto& found) { return found.integer(0, "coins"); });
  if (coins)
    std::cout << participant << ": " << *coins << " coins\n";
  else
    std::cerr << participant << ": " << coins.error().message << '\n';
  return coins.has_value();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: assent-example-transfer COORDINATOR FROM TO\n";
    return 2;
  }
  const std::string from = argv[2];
  const std::string to = argv[3];
  auto client = assent::Client::connect({.coordinators = {argv[1]}, .name = "example"});
  if (!client) {
    std::cerr << client.error().message << '\n';
    return 1;
  }

  auto preparation = client->start();
  prepare_purse(preparation, from);
  prepare_purse(preparation, to);
  if (!finish(preparation)) return 1;

  auto transfer = client->start();
  transfer.execute(from, "UPDATE purse SET coins = coins - $1 WHERE owner = $2", {10, "ann"});
  transfer.execute(to, "UPDATE purse SET coins = coins + $1 WHERE owner = $2", {10, "ann"});
  if (!finish(transfer)) return 1;

  auto reading = client->start();
  return print_balance(reading, from) && print_balance(reading, to) ? 0 : 1;
}
