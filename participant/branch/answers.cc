#include "participant/branch/answers.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace assent::branch {

Answers::Answers(std::size_t kept) : kept_(kept) {
  CHECK(kept > 0, "a branch without room for one answer can run nothing");
}

std::uint32_t Answers::count() const {
  return first_ - 1 + static_cast<std::uint32_t>(slots_.size());
}

Answers::Place Answers::place(std::uint32_t number) const {
  if (number < first_) {
    return Place::kForgotten;
  }
  if (number > count()) {
    return number == count() + 1 ? Place::kNext : Place::kGap;
  }
  return slots_[number - first_].answer ? Place::kAnswered : Place::kInFlight;
}

void Answers::start(Token caller, std::optional<std::int64_t> expected_rows) {
  CHECK(!full(), "a full window takes no statement");
  if (slots_.size() == kept_) {
    slots_.erase(slots_.begin());
    ++first_;
  }
  slots_.push_back(Slot{{caller}, expected_rows, std::nullopt});
  ++in_flight_;
}

void Answers::join(std::uint32_t number, Token caller) {
  CHECK(place(number) == Place::kInFlight, "only a statement in flight can be waited for");
  slots_[number - first_].waiting.push_back(caller);
}

const StatementAnswer& Answers::stored(std::uint32_t number) const {
  CHECK(place(number) == Place::kAnswered, "only an answered statement has a stored answer");
  return *slots_[number - first_].answer;
}

std::optional<std::int64_t> Answers::expected_rows(std::uint32_t number) const {
  CHECK(place(number) == Place::kInFlight, "only a statement in flight has an expectation");
  return slots_[number - first_].expected_rows;
}

bool Answers::expecting() const {
  return std::ranges::any_of(
      slots_, [](const Slot& slot) { return !slot.answer && slot.expected_rows.has_value(); });
}

std::vector<Token> Answers::finish(std::uint32_t number, const StatementAnswer& answer) {
  CHECK_LT(std::size_t{0}, in_flight_, "an answer needs a statement in flight");
  CHECK_EQ(number, count() + 1 - in_flight_, "statements of a branch are answered in order");
  Slot& slot = slots_[number - first_];
  slot.answer = answer;
  --in_flight_;
  return std::exchange(slot.waiting, {});
}

void Answers::forget() {
  CHECK_EQ(in_flight_, std::size_t{0}, "callers still wait for an answer");
  first_ = count() + 1;
  slots_ = {};
}

void Answers::check_invariants() const {
  CHECK_LE(slots_.size(), kept_, "answers are bounded");
  CHECK_LE(in_flight_, slots_.size(), "what is in flight has a slot");
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const bool answered = i < slots_.size() - in_flight_;
    CHECK_EQ(slots_[i].answer.has_value(), answered, "statements are answered in order");
    CHECK_EQ(slots_[i].waiting.empty(), answered, "exactly those in flight are waited for");
  }
}

}  // namespace assent::branch
