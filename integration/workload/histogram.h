// Latencies counted in buckets that grow with the value: at most 1.6 % wrong, of fixed size, merged
// by addition.
#pragma once

#include <array>
#include <cstdint>

namespace assent::workload {

class Histogram {
 public:
  // `value` is in any unit; percentiles come back in it.
  void add(std::uint64_t value);
  void merge(const Histogram& other);

  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] std::uint64_t max() const { return max_; }
  // The value that `percent` of all values do not exceed; 0 when there are none.
  // Precondition: 0 < percent <= 100.
  [[nodiscard]] std::uint64_t percentile(double percent) const;

 private:
  // Values below 2^kPreciseBits have a bucket each; above, every power of two has
  // 2^(kPreciseBits-1).
  static constexpr unsigned kPreciseBits = 7;
  static constexpr std::size_t kHalf = std::size_t{1} << (kPreciseBits - 1);
  static constexpr std::size_t kBuckets = (64 - kPreciseBits + 2) * kHalf;

  static std::size_t bucket_of(std::uint64_t value);
  static std::uint64_t highest_of(std::size_t bucket);

  std::array<std::uint64_t, kBuckets> counts_{};
  std::uint64_t count_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace assent::workload
