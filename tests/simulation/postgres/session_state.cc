#include "tests/simulation/postgres/session_state.h"

#include <cctype>

namespace assent::model {

std::string Settings::get(const std::string& name) const {
  for (const auto* layer : {&local_, &session_, &defaults}) {
    const auto found = layer->find(name);
    if (found != layer->end()) return found->second;
  }
  return "";
}

void Settings::set(const std::string& name, const std::optional<std::string>& value, bool local) {
  const auto initial = defaults.find(name);
  const std::string fallback = initial == defaults.end() ? "" : initial->second;
  if (local) {
    local_[name] = value.value_or(fallback);
    return;
  }
  local_.erase(name);
  session_[name] = value.value_or(fallback);
}

void Settings::reset_all() {
  session_.clear();
  local_.clear();
}

std::int64_t milliseconds(const std::string& setting) {
  std::int64_t number = 0;
  std::size_t at = 0;
  for (; at < setting.size() && std::isdigit(static_cast<unsigned char>(setting[at])) != 0; ++at) {
    number = number * 10 + (setting[at] - '0');
  }
  const std::string unit = setting.substr(at);
  if (unit == "s") return number * 1'000;
  if (unit == "min") return number * 60'000;
  return number;
}

}  // namespace assent::model
