// Which one-shots of this life were seen, so that each runs at most once (R5, R9).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>

#include "base/ids.h"

namespace assent::branch {

// Knows one office at a time: an older one's requests come under a lower ballot (R4), so none of
// its serials ever runs again. Its size is the number of gaps among the serials that were seen.
class SerialMemory {
 public:
  // True when the serial may run: then it is seen from now on. False when its office is older than
  // the newest seen, it is below a low-water mark, or was seen before. `low_water` says that every
  // smaller serial of that office is finished; marks only rise.
  [[nodiscard]] bool see(OneShotSerial serial, std::uint64_t low_water);

  // True when see() would be, whatever the mark that comes with it.
  [[nodiscard]] bool unseen(OneShotSerial serial) const;

  [[nodiscard]] std::size_t size() const { return seen_.size(); }
  void check_invariants() const;

 private:
  void raise(std::uint64_t low_water);
  void insert(std::uint64_t serial);

  std::uint64_t office_ = 0;
  std::uint64_t low_water_ = 1;                  // every serial below counts as seen
  std::map<std::uint64_t, std::uint64_t> seen_;  // above it: first and end of each interval
};

}  // namespace assent::branch
