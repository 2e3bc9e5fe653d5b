#include "participant/branch/serial_memory.h"

#include <algorithm>
#include <iterator>

#include "base/check.h"

namespace assent::branch {

bool SerialMemory::see(OneShotSerial serial, std::uint64_t low_water) {
  if (serial.office < office_) {
    return false;
  }
  if (serial.office > office_) {
    *this = {};
    office_ = serial.office;
  }
  raise(low_water);
  if (!unseen(serial)) {
    return false;
  }
  insert(serial.serial);
  return true;
}

bool SerialMemory::unseen(OneShotSerial serial) const {
  if (serial.office != office_) {
    return serial.office > office_ && serial.serial > 0;
  }
  if (serial.serial < low_water_) {
    return false;
  }
  const auto after = seen_.upper_bound(serial.serial);
  return after == seen_.begin() || std::prev(after)->second <= serial.serial;
}

// An interval that the mark reaches is swallowed by it: what it holds is not to run again either.
void SerialMemory::raise(std::uint64_t low_water) {
  low_water_ = std::max(low_water_, low_water);
  while (!seen_.empty() && seen_.begin()->first <= low_water_) {
    low_water_ = std::max(low_water_, seen_.begin()->second);
    seen_.erase(seen_.begin());
  }
}

void SerialMemory::insert(std::uint64_t serial) {
  const std::uint64_t end = serial + 1;
  const auto after = seen_.upper_bound(serial);
  auto place = after;
  if (after != seen_.begin() && std::prev(after)->second == serial) {
    place = std::prev(after);
    place->second = end;
  } else {
    place = seen_.emplace_hint(after, serial, end);
  }
  if (after != seen_.end() && after->first == end) {
    place->second = after->second;
    seen_.erase(after);
  }
  raise(low_water_);
}

void SerialMemory::check_invariants() const {
  std::uint64_t above = low_water_;
  for (const auto& [first, end] : seen_) {
    CHECK_LT(above, first, "intervals are merged, and with the mark");
    CHECK_LT(first, end, "an interval holds something");
    above = end;
  }
}

}  // namespace assent::branch
