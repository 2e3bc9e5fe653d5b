// What a fuzz target is. The entry point is libFuzzer's, so that clang builds of it run there; all
// others run under driver.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// Judges one input; a violated CHECK or a crash is the finding. Always 0.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace assent::fuzz {

// Inputs to begin with: well-formed ones of every kind, and their near misses.
std::vector<std::string> corpus();

inline std::string_view as_text(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

}  // namespace assent::fuzz
