// Tables for people. Colour only where a terminal shows it.
#pragma once

#include <string>
#include <vector>

namespace assent::cli {

enum class Tone { kPlain, kFaint, kGood, kWarning, kBad, kStrong };

// True when standard output is a terminal that shows colour, and NO_COLOR is not set.
bool colours();

// The text, in its tone where colours() holds.
std::string toned(const std::string& text, Tone tone);

class Table {
 public:
  struct Cell {
    // Implicit: most cells are plain.
    Cell(std::string cell_text, Tone cell_tone = Tone::kPlain)  // NOLINT
        : text(std::move(cell_text)), tone(cell_tone) {}
    Cell(const char* cell_text) : text(cell_text) {}  // NOLINT
    std::string text;
    Tone tone = Tone::kPlain;
  };

  explicit Table(std::vector<std::string> heads) : heads_(std::move(heads)) {}

  // As many cells as there are heads.
  void add(std::vector<Cell> row) { rows_.push_back(std::move(row)); }
  [[nodiscard]] bool empty() const { return rows_.empty(); }

  // Columns as wide as their widest cell, two blanks between, none behind the last. `indent` blanks
  // in front.
  [[nodiscard]] std::string text(int indent = 0) const;

 private:
  std::vector<std::string> heads_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace assent::cli
