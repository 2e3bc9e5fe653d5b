#include "tests/simulation/trace.h"

#include <cstdio>

namespace assent::simulation {

void Trace::print(std::uint32_t who, std::string_view what, const std::string& text) const {
  const double seconds = static_cast<double>(scheduler_.now()) / static_cast<double>(kSecond);
  const std::string replica = who == 0 ? "  " : "r" + std::to_string(who);
  std::printf("%11.6f %s %-10.*s %s\n", seconds, replica.c_str(), static_cast<int>(what.size()),
              what.data(), text.c_str());
}

}  // namespace assent::simulation
