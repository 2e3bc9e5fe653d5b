// Numbers as people read them. PURE.
#pragma once

#include <cstdint>
#include <string>

#include "base/time.h"

namespace assent::explain {

// "1,234,567"
std::string with_commas(std::int64_t number);
// Two units at most: "0.4 s", "12 s", "3 min 5 s", "2 h 1 min", "5 d 3 h". Negative: "0 s".
std::string duration(Millis time);
// "1 branch", "2 branches": `many` is the plural; without it an s is added.
std::string counted(std::int64_t number, const std::string& one, const std::string& many = "");

}  // namespace assent::explain
