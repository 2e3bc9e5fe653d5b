// The serials of an office's one-shots: counted from 1 for each participant (R5). PURE.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "base/ids.h"

namespace assent::commit {

// A serial is live from its issue to its release, when its transaction needs nothing more of the
// participant. None is issued twice, so a low-water mark never goes down.
class Serials {
 public:
  // `office`: the number that no other office has, from 1 (state_machine.h).
  explicit Serials(std::uint64_t office) : office_(office) {}

  // An attempt of a one-shot that was never issued before.
  Attempt issue(const std::string& participant);
  // An attempt that is not live, or that this office did not issue, is none of ours: no effect.
  void release(const std::string& participant, Attempt attempt);
  // Every serial below it was released, and none of them will be used again.
  [[nodiscard]] std::uint64_t low_water(const std::string& participant) const;

  [[nodiscard]] std::size_t live_count() const;

 private:
  struct Issued {
    std::uint64_t last = 0;
    std::set<std::uint64_t> live;
  };

  std::uint64_t office_;
  std::map<std::string, Issued> issued_;
};

}  // namespace assent::commit
