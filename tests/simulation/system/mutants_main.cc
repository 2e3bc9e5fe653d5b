// assent-system-mutants: every mutant at its recorded seed, which its checker catches, and which
// passes without it.
// assent-system-mutants NAME FIRST LAST: what catches this one at these seeds.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "tests/simulation/system/mutants.h"
#include "tests/simulation/system/system.h"

namespace {

using namespace assent;
using namespace assent::simulation;
using system::Mutant;

std::optional<Violation> run(std::uint64_t seed, Canary canary) {
  active_canary() = canary;
  return system::run_system_seed(seed, false).violation;
}

bool proven(const Mutant& mutant) {
  const std::string name(mutant.name);
  const auto with = run(mutant.seed, mutant.canary);
  if (!with || with->checker != mutant.checker) {
    std::printf("%s is not caught by %s at seed %llu, but by %s\n", name.c_str(),
                std::string(simulation::name(mutant.checker)).c_str(),
                static_cast<unsigned long long>(mutant.seed),
                with ? std::string(simulation::name(with->checker)).c_str() : "nobody");
    return false;
  }
  const auto without = run(mutant.seed, Canary::kNone);
  if (without) {
    std::printf("seed %llu of %s fails without it: %s\n",
                static_cast<unsigned long long>(mutant.seed), name.c_str(), without->what.c_str());
    return false;
  }
  std::printf("%s: %s at seed %llu\n", name.c_str(),
              std::string(simulation::name(mutant.checker)).c_str(),
              static_cast<unsigned long long>(mutant.seed));
  return true;
}

// In a process of its own: what it breaks may be memory, too.
bool proven_apart(const Mutant& mutant) {
  std::fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    const bool good = proven(mutant);
    std::fflush(stdout);
    _exit(good ? 0 : 1);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) return false;
  if (WIFSIGNALED(status)) std::printf("%s died\n", std::string(mutant.name).c_str());
  return status == 0;
}

int prove_all() {
  int failed = 0;
  int caught = 0;
  for (const Mutant& mutant : system::mutants()) {
    if (mutant.seed != 0) ++(proven_apart(mutant) ? caught : failed);
  }
  std::printf("%d mutants caught, %d not\n", caught, failed);
  return failed == 0 && caught >= 20 ? 0 : 1;
}

int hunt(const Mutant& mutant, std::uint64_t first, std::uint64_t last) {
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    const auto violation = run(seed, mutant.canary);
    if (!violation) continue;
    std::printf("%s %llu %s: %s\n", std::string(mutant.name).c_str(),
                static_cast<unsigned long long>(seed),
                std::string(simulation::name(violation->checker)).c_str(), violation->what.c_str());
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 1) return prove_all();
  const auto mutant = system::find_mutant(argv[1]);
  if (argc != 4 || !mutant) {
    std::fprintf(stderr, "usage: assent-system-mutants [NAME FIRST LAST]\nmutants:\n");
    for (const Mutant& one : system::mutants()) {
      std::fprintf(stderr, "  %s\n", std::string(one.name).c_str());
    }
    return 2;
  }
  return hunt(*mutant, std::strtoull(argv[2], nullptr, 10), std::strtoull(argv[3], nullptr, 10));
}
