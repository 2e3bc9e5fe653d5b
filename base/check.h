// Checks that stay in release builds: a broken invariant ends the process before it can do harm.
#pragma once

#include <sstream>
#include <string>
#include <string_view>

namespace assent {

// Prints the failed check with `detail` to standard error and aborts.
[[noreturn]] void fail_check(std::string_view file, int line, std::string_view condition,
                             std::string_view detail);

namespace check_internal {

template <class T>
std::string shown(const T& value) {
  if constexpr (requires(std::ostream & out) { out << value; }) {
    std::ostringstream out;
    out << value;
    return out.str();
  } else if constexpr (requires { to_string(value); }) {
    return to_string(value);
  } else {
    return "(not printable)";
  }
}

}  // namespace check_internal
}  // namespace assent

// Aborts unless `condition` holds. `why` is one sentence that says why it must.
#define CHECK(condition, why)             \
  (static_cast<bool>(condition) ? void(0) \
                                : ::assent::fail_check(__FILE__, __LINE__, #condition, why))

#define ASSENT_CHECK_OP(a, op, b, why)                                                   \
  do {                                                                                   \
    const auto& check_a = (a);                                                           \
    const auto& check_b = (b);                                                           \
    if (!(check_a op check_b)) {                                                         \
      ::assent::fail_check(__FILE__, __LINE__, #a " " #op " " #b,                        \
                           ::assent::check_internal::shown(check_a) + " against " +      \
                               ::assent::check_internal::shown(check_b) + ": " + (why)); \
    }                                                                                    \
  } while (false)

// The same for a comparison; both values are printed.
#define CHECK_EQ(a, b, why) ASSENT_CHECK_OP(a, ==, b, why)
#define CHECK_LT(a, b, why) ASSENT_CHECK_OP(a, <, b, why)
#define CHECK_LE(a, b, why) ASSENT_CHECK_OP(a, <=, b, why)
