// Sends 120 MiB to one participant with the C++ client, and gets 120 MiB back, in one transaction.
//
//   heavy_client COORDINATOR PARTICIPANT
//
// Says "begun", and "done" when all has passed, and waits for a line each time, so that a test can
// look at its connections.
#include <assent/client.h>

#include <iostream>
#include <string>

namespace {

constexpr int kMebibytes = 120;
constexpr std::int64_t kMebibyte = 1 << 20;

assent::Result<void> pass_one(assent::Transaction& transaction, const std::string& participant,
                              const std::string& text) {
  const auto rows =
      transaction.execute(participant, "SELECT length($1) AS size, $1 AS same", {text});
  if (!rows) return tl::unexpected(rows.error());
  const auto size = rows->integer(0, "size");
  if (size && *size == kMebibyte && rows->string(0, "same") == text) return {};
  return assent::failure(assent::ErrorCode::kInternal, "a value came back as another one");
}

void say(const std::string& word) {
  std::cout << word << std::endl;
  std::string line;
  std::getline(std::cin, line);
}

assent::Result<void> pass_all(assent::Transaction& transaction, const std::string& participant) {
  const std::string text(kMebibyte, 'x');
  for (int i = 0; i < kMebibytes; ++i) {
    if (auto passed = pass_one(transaction, participant, text); !passed) return passed;
    if (i == 0) say("begun");
  }
  say("done");
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: heavy_client COORDINATOR PARTICIPANT\n";
    return 2;
  }
  auto client = assent::Client::connect({.coordinators = {argv[1]}, .name = "heavy"});
  if (!client) {
    std::cerr << client.error().message << '\n';
    return 1;
  }
  const auto result =
      client->run([&](assent::Transaction& transaction) { return pass_all(transaction, argv[2]); });
  if (result.committed()) return 0;
  std::cerr << result.reason->message << '\n';
  return 1;
}
