// What may be missing, as JSON tells it: by null, and never by leaving the key out.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace assent::cli {

template <class T>
nlohmann::json or_null(const std::optional<T>& value) {
  return value ? nlohmann::json(*value) : nlohmann::json();
}

// Empty: there is none.
inline nlohmann::json or_null(const std::string& text) {
  return text.empty() ? nlohmann::json() : nlohmann::json(text);
}

}  // namespace assent::cli
