// Moves coins from one database to another in one message, and says so when there are too few.
//
//   assent-example-one-shot 127.0.0.1:7101 db1 db2 10
#include <assent/client.h>

#include <cstdlib>
#include <iostream>
#include <string>

namespace {

constexpr const char* kCreate =
    "CREATE TABLE IF NOT EXISTS purse (owner text PRIMARY KEY, coins bigint NOT NULL)";
constexpr const char* kFill = "INSERT INTO purse VALUES ('ann', 100) ON CONFLICT DO NOTHING";
// Finds no row when there are too few coins: the transfer expects one.
constexpr const char* kTake =
    "UPDATE purse SET coins = coins - $1 WHERE owner = 'ann' AND coins >= $1 RETURNING coins";
constexpr const char* kGive =
    "UPDATE purse SET coins = coins + $1 WHERE owner = 'ann' RETURNING coins";

int report(const assent::CommitResult& result, const std::string& from) {
  const auto& reason = result.reason;
  if (!reason) return 0;
  if (reason->code == assent::ErrorCode::kRowCount && reason->participant == from) {
    std::cerr << "insufficient funds: the purse in " << from << " has not that many coins\n";
  } else {
    std::cerr << name(result.state) << ": " << reason->message << '\n';
  }
  return 1;
}

// Rows stand in the order of the statements; they may be missing when an answer was lost.
void print_coins(const assent::CommitResult& result, std::size_t statement,
                 const std::string& participant) {
  if (result.results_unavailable) return;
  if (const auto coins = result.rows[statement].integer(0, "coins"))
    std::cout << participant << ": " << *coins << " coins\n";
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::cerr << "usage: assent-example-one-shot COORDINATOR FROM TO COINS\n";
    return 2;
  }
  const std::string from = argv[2];
  const std::string to = argv[3];
  const std::int64_t coins = std::atoll(argv[4]);
  auto client = assent::Client::connect({.coordinators = {argv[1]}, .name = "example"});
  if (!client) {
    std::cerr << client.error().message << '\n';
    return 1;
  }

  assent::OneShot preparation;
  for (const auto& participant : {from, to}) {
    preparation.add(participant, kCreate).add(participant, kFill);
  }
  if (const int failed = report(client->commit(preparation), from)) return failed;

  assent::OneShot transfer;
  transfer.add(from, kTake, {coins}, 1);
  transfer.add(to, kGive, {coins}, 1);
  const assent::CommitResult result = client->commit(transfer);
  if (const int failed = report(result, from)) return failed;
  print_coins(result, 0, from);
  print_coins(result, 1, to);
  return 0;
}
