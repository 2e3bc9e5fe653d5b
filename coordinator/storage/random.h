// Numbers that nobody repeats: salts of segments, and the incarnations of disks.
#pragma once

#include <cstdint>
#include <random>

namespace assent::storage {

inline std::uint64_t random_number() {
  std::random_device random;
  return std::uint64_t{random()} << 32 | random();
}

}  // namespace assent::storage
