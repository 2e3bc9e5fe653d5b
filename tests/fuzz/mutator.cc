#include "tests/fuzz/mutator.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace assent::fuzz {
namespace {

constexpr std::size_t kChangesMax = 6;
constexpr std::size_t kPieceMax = 64;

constexpr std::array<std::uint32_t, 12> kEdges = {
    0,           1,           0x7F,        0x80,        0xFF,        0x100,
    0x7FFF'FFFF, 0x8000'0000, 0xFFFF'FFFF, 0x0100'0000, 0x0100'0001, 0x0001'0000};

}  // namespace

std::string Mutator::next() {
  std::string input = any_input();
  for (std::size_t left = 1 + random_.below(kChangesMax); left > 0; --left) change(input);
  if (input.size() > size_max_) input.resize(size_max_);
  return input;
}

void Mutator::change(std::string& input) {
  const std::size_t at = random_.below(input.size() + 1);
  const std::size_t length = std::min(random_.below(kPieceMax), input.size() - at);
  switch (random_.below(8)) {
    case 0:
      if (at < input.size()) input[at] ^= static_cast<char>(1U << random_.below(8));
      break;
    case 1:
      if (at < input.size()) input[at] = static_cast<char>(random_.below(256));
      break;
    case 2:
      input.erase(at, length);
      break;
    case 3:
      input.insert(at, input.substr(at, length));
      break;
    case 4:
      input.insert(at, any_piece());
      break;
    case 5:
      input.replace(at, length, any_piece());
      break;
    case 6: {
      const std::string number = edge_number();
      input.replace(at, std::min(number.size(), input.size() - at), number);
      break;
    }
    case 7:
      input.resize(at);
      break;
  }
}

std::string Mutator::any_piece() {
  const std::string& input = any_input();
  return input.substr(random_.below(input.size() + 1), random_.below(kPieceMax));
}

std::string Mutator::edge_number() {
  const std::uint32_t number = kEdges[random_.below(kEdges.size())];
  if (random_.one_in(3)) return std::string(1, static_cast<char>(number));
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(number >> shift));
  if (random_.one_in(3)) std::ranges::reverse(bytes);
  return bytes;
}

}  // namespace assent::fuzz
