#include "cli/explain/units.h"

namespace assent::explain {
namespace {

constexpr std::int64_t kSecond = 1'000;
constexpr std::int64_t kMinute = 60 * kSecond;
constexpr std::int64_t kHour = 60 * kMinute;
constexpr std::int64_t kDay = 24 * kHour;

std::string two(std::int64_t time, std::int64_t large, const char* large_name, std::int64_t small,
                const char* small_name) {
  std::string out = std::to_string(time / large) + " " + large_name;
  const std::int64_t rest = time % large / small;
  return rest == 0 ? out : out + " " + std::to_string(rest) + " " + small_name;
}

}  // namespace

std::string with_commas(std::int64_t number) {
  std::string out = std::to_string(number);
  const std::size_t sign = number < 0 ? 1 : 0;
  for (std::size_t at = out.size(); at > 3 + sign; at -= 3) out.insert(at - 3, 1, ',');
  return out;
}

std::string duration(Millis time) {
  const std::int64_t ms = time.value;
  if (ms <= 0) return "0 s";
  if (ms < 10 * kSecond) {
    const std::int64_t tenths = (ms + 50) / 100;
    return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " s";
  }
  if (ms < kMinute) return std::to_string(ms / kSecond) + " s";
  if (ms < kHour) return two(ms, kMinute, "min", kSecond, "s");
  if (ms < kDay) return two(ms, kHour, "h", kMinute, "min");
  return two(ms, kDay, "d", kHour, "h");
}

std::string counted(std::int64_t number, const std::string& one, const std::string& many) {
  if (number == 1) return "1 " + one;
  return with_commas(number) + " " + (many.empty() ? one + "s" : many);
}

}  // namespace assent::explain
