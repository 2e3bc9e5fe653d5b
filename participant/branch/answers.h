// Statement numbers and stored answers of one branch: a duplicate gets the stored answer, a gap is
// seen (R13).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "participant/branch/branch_table.h"

namespace assent::branch {

using StatementAnswer = decltype(StatementDone::result);

class Answers {
 public:
  // Keeps the last `kept` statements, those in flight included. Precondition: kept > 0.
  explicit Answers(std::size_t kept);

  // Where a statement number stands.
  enum class Place : std::uint8_t {
    kForgotten,  // answered, and the answer is no longer kept
    kAnswered,
    kInFlight,
    kNext,
    kGap,  // numbers before it have not been seen
  };
  [[nodiscard]] Place place(std::uint32_t number) const;

  // Statements seen so far.
  [[nodiscard]] std::uint32_t count() const;
  [[nodiscard]] std::size_t in_flight() const { return in_flight_; }
  // True when one more in flight would push out one in flight.
  [[nodiscard]] bool full() const { return in_flight_ == kept_; }

  // The next number is in flight now and `caller` waits for it. Precondition: not full().
  void start(Token caller, std::optional<std::int64_t> expected_rows = std::nullopt);
  // One more caller waits. Precondition: place(number) is kInFlight.
  void join(std::uint32_t number, Token caller);
  // Precondition: place(number) is kAnswered.
  [[nodiscard]] const StatementAnswer& stored(std::uint32_t number) const;

  // As it was started. Precondition: place(number) is kInFlight.
  [[nodiscard]] std::optional<std::int64_t> expected_rows(std::uint32_t number) const;
  // True when one in flight is to affect a certain number of rows.
  [[nodiscard]] bool expecting() const;

  // Stores the answer of the first statement in flight and hands out those who wait for it.
  // Precondition: that statement's number is `number`.
  [[nodiscard]] std::vector<Token> finish(std::uint32_t number, const StatementAnswer& answer);

  // Drops all answers but not the count. Precondition: nothing is in flight.
  void forget();

  void check_invariants() const;

 private:
  struct Slot {
    std::vector<Token> waiting;  // empty once answered
    std::optional<std::int64_t> expected_rows;
    std::optional<StatementAnswer> answer;
  };

  std::size_t kept_;
  std::uint32_t first_ = 1;    // number of slots_.front()
  std::vector<Slot> slots_;    // consecutive numbers; those in flight are the last in_flight_
  std::size_t in_flight_ = 0;  // PostgreSQL answers in order, so they are a suffix
};

}  // namespace assent::branch
