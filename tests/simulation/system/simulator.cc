#include "tests/simulation/system/simulator.h"

#include "tests/simulation/system/mutants.h"
#include "tests/simulation/system/story.h"
#include "tests/simulation/system/summary.h"
#include "tests/simulation/system/system.h"

namespace assent::simulation::system {
namespace {

constexpr const char* kAll = "all";

// Which transaction the story is of; none: everything is told.
std::optional<TransactionId> wanted(std::uint64_t seed, const std::string& transaction) {
  if (const auto id = parse_transaction_id(transaction)) return id;
  std::optional<TransactionId> last;
  const Run run = run_system_seed(seed, [&last](const TraceLine& line) {
    if (line.what == kBegins) last = find_transaction(line.text);
  });
  if (!transaction.empty()) return last;
  return run.violation ? find_transaction(run.violation->what) : std::nullopt;
}

Run replay(std::uint64_t seed, const std::string& transaction) {
  const auto id = transaction == kAll ? std::nullopt : wanted(seed, transaction);
  if (!id) return run_system_seed(seed, [](const TraceLine& line) { tell(line); });
  Story story(*id);
  return run_system_seed(seed, [&story](const TraceLine& line) { story.take(line); });
}

}  // namespace

const Simulator& system_simulator() {
  static const Simulator simulator{
      .chosen_by = "",
      .run_seed = [](std::uint64_t seed) { return run_system_seed(seed); },
      .replay = replay,
      .make_summary = make_system_summary,
      .canaries = mutants(),
  };
  return simulator;
}

bool is_told(const std::string& transaction) {
  return transaction == kAll || transaction == "last" ||
         parse_transaction_id(transaction).has_value();
}

}  // namespace assent::simulation::system
