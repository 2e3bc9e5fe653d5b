// PostgreSQL's name of a prepared transaction of ours:
//   assent:<cluster>:<transaction>:<participant>:<epoch>.<attempt>
// At most 199 bytes (postgres.md row 5): 7 + 32 + 1 + 53 + 1 + 63 + 1 + 20 + 1 + 20 = 199.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"

namespace assent {

inline constexpr std::size_t kGidLengthMax = 199;

// A gid taken apart.
struct Gid {
  std::string cluster;
  BranchId branch;

  bool operator==(const Gid&) const = default;
};

// Precondition: both names are valid.
std::string make_gid(std::string_view cluster, const BranchId& branch);

// Accepts exactly what make_gid makes; anything else is a stranger's (R8).
std::optional<Gid> parse_gid(std::string_view text);

}  // namespace assent
