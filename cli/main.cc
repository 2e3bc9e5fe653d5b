// assentctl: the tool of those who look after a cluster.
#include <cstdio>
#include <exception>

#include "cli/program.h"

int main(int argc, char** argv) {
  try {
    return assent::cli::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "assentctl: %s\n", error.what());
    return assent::cli::kExitProblem;
  }
}
