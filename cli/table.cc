#include "cli/table.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

namespace assent::cli {
namespace {

const char* code(Tone tone) {
  switch (tone) {
    case Tone::kPlain:
      return "";
    case Tone::kFaint:
      return "\033[2m";
    case Tone::kGood:
      return "\033[32m";
    case Tone::kWarning:
      return "\033[33m";
    case Tone::kBad:
      return "\033[31m";
    case Tone::kStrong:
      return "\033[1m";
  }
  return "";
}

// Characters, not bytes, of UTF-8.
std::size_t width(const std::string& text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }));
}

}  // namespace

bool colours() {
  const char* const refused = std::getenv("NO_COLOR");
  if (refused != nullptr && *refused != '\0') return false;
  const char* const terminal = std::getenv("TERM");
  return isatty(STDOUT_FILENO) == 1 && terminal != nullptr && std::string_view(terminal) != "dumb";
}

std::string toned(const std::string& text, Tone tone) {
  if (tone == Tone::kPlain || text.empty() || !colours()) return text;
  return code(tone) + text + "\033[0m";
}

std::string Table::text(int indent) const {
  std::vector<std::size_t> widths;
  for (const std::string& head : heads_) widths.push_back(width(head));
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], width(row[i].text));
  }
  std::string out;
  const auto line = [&](const auto& texts, const auto& tone_of) {
    out.append(static_cast<std::size_t>(indent), ' ');
    for (std::size_t i = 0; i < texts.size(); ++i) {
      out += toned(texts[i], tone_of(i));
      if (i + 1 < texts.size()) out.append(widths[i] - width(texts[i]) + 2, ' ');
    }
    while (!out.empty() && out.back() == ' ') out.pop_back();
    out += '\n';
  };
  line(heads_, [](std::size_t) { return Tone::kFaint; });
  for (const auto& row : rows_) {
    std::vector<std::string> texts;
    for (const Cell& cell : row) texts.push_back(cell.text);
    line(texts, [&](std::size_t i) { return row[i].tone; });
  }
  return out;
}

}  // namespace assent::cli
