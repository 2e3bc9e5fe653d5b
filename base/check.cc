#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace assent {

void fail_check(std::string_view file, int line, std::string_view condition,
                std::string_view detail) {
  std::fprintf(stderr, "%.*s:%d: CHECK failed: %.*s: %.*s\n", static_cast<int>(file.size()),
               file.data(), line, static_cast<int>(condition.size()), condition.data(),
               static_cast<int>(detail.size()), detail.data());
  std::fflush(stderr);
  std::abort();
}

}  // namespace assent
