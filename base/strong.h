// Integers that cannot be mistaken for one another.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>

namespace assent {

// A number with a meaning. `Tag` names the meaning; arithmetic is explicit through `value`.
template <class Tag, class Rep = std::uint64_t>
struct Strong {
  Rep value{};

  constexpr Strong() = default;
  constexpr explicit Strong(Rep v) : value(v) {}
  constexpr auto operator<=>(const Strong&) const = default;
  [[nodiscard]] constexpr Strong next() const { return Strong(value + 1); }
};

template <class Tag, class Rep>
std::string to_string(Strong<Tag, Rep> number) {
  return std::to_string(number.value);
}

}  // namespace assent

template <class Tag, class Rep>
struct std::hash<assent::Strong<Tag, Rep>> {
  std::size_t operator()(assent::Strong<Tag, Rep> number) const noexcept {
    return std::hash<Rep>()(number.value);
  }
};
