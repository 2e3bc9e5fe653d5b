// Words for the values of an enum of the wire, by table. A newer program may send others.
#pragma once

#include <cstddef>

namespace assent::cli {

template <class Enum>
struct Word {
  Enum value;
  const char* word;
};

template <class Enum, std::size_t N>
const char* word_in(const Word<Enum> (&table)[N], Enum value, const char* otherwise = "unknown") {
  for (const Word<Enum>& one : table) {
    if (one.value == value) return one.word;
  }
  return otherwise;
}

}  // namespace assent::cli
