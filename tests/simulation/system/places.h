// Who is where on the wire, and in the trace.
#pragma once

#include <cstdint>
#include <string>

namespace assent::simulation::system {

inline constexpr std::uint32_t kFirstAgent = 100;  // two for each database
inline constexpr std::uint32_t kFirstClient = 200;

inline bool is_replica(std::uint32_t place) {
  return 0 < place && place < kFirstAgent;
}

// "r1", "db2.a", "client 3"; empty: of nobody.
inline std::string place_name(std::uint32_t place) {
  if (place == 0) return "";
  if (is_replica(place)) return "r" + std::to_string(place);
  if (kFirstClient <= place) return "client " + std::to_string(place - kFirstClient + 1);
  const std::uint32_t agent = place - kFirstAgent;
  return "db" + std::to_string(agent / 2 + 1) + (agent % 2 == 0 ? ".a" : ".b");
}

}  // namespace assent::simulation::system
