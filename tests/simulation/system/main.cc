#include <cstdio>
#include <cstdlib>
#include <string>

#include "tests/simulation/system/system.h"

int main(int argc, char** argv) {
  using namespace assent::simulation;
  const std::uint64_t first = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1;
  const std::uint64_t last = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : first;
  int failed = 0;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    const Run run = system::run_system_seed(seed, argc == 2);
    if (!run.violation) continue;
    ++failed;
    std::printf("seed %llu at %.3f s: %s: %s\n", static_cast<unsigned long long>(seed),
                static_cast<double>(run.figures.time) / 1e6,
                std::string(name(run.violation->checker)).c_str(), run.violation->what.c_str());
  }
  std::printf("%d failed\n", failed);
  return failed != 0;
}
