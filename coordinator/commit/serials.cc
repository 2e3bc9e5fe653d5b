#include "coordinator/commit/serials.h"

namespace assent::commit {

Attempt Serials::issue(const std::string& participant) {
  Issued& issued = issued_[participant];
  issued.live.insert(++issued.last);
  return one_shot_attempt({office_, issued.last});
}

void Serials::release(const std::string& participant, Attempt attempt) {
  const std::optional<OneShotSerial> serial = one_shot_serial(attempt);
  if (!serial || serial->office != office_) return;
  const auto found = issued_.find(participant);
  if (found != issued_.end()) found->second.live.erase(serial->serial);
}

std::uint64_t Serials::low_water(const std::string& participant) const {
  const auto found = issued_.find(participant);
  if (found == issued_.end()) return 1;
  const Issued& issued = found->second;
  return issued.live.empty() ? issued.last + 1 : *issued.live.begin();
}

std::size_t Serials::live_count() const {
  std::size_t count = 0;
  for (const auto& [participant, issued] : issued_) count += issued.live.size();
  return count;
}

}  // namespace assent::commit
