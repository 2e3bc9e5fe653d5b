#include "tests/simulation/trace.h"

#include <cstdio>

namespace assent::simulation {

void print(const TraceLine& line) {
  const double seconds = static_cast<double>(line.when) / static_cast<double>(kSecond);
  const std::string replica = line.who == 0 ? "  " : "r" + std::to_string(line.who);
  std::printf("%11.6f %s %-10.*s %s\n", seconds, replica.c_str(),
              static_cast<int>(line.what.size()), line.what.data(), line.text.c_str());
}

}  // namespace assent::simulation
