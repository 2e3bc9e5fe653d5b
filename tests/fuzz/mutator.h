// Inputs made of other inputs: what a fuzzer without a view of the code's branches can do.
#pragma once

#include <string>
#include <vector>

#include "tests/participant/branch/random.h"

namespace assent::fuzz {

class Mutator {
 public:
  // Precondition: `corpus` is not empty.
  Mutator(std::vector<std::string> corpus, std::uint64_t seed, std::size_t size_max)
      : corpus_(std::move(corpus)), random_(seed), size_max_(size_max) {}

  // One of the corpus, changed in one place or in a few.
  std::string next();

 private:
  void change(std::string& input);
  [[nodiscard]] const std::string& any_input() { return corpus_[random_.below(corpus_.size())]; }
  // A piece of one of the corpus.
  std::string any_piece();
  // A number at which things break, as four bytes in either order, or as one.
  std::string edge_number();

  const std::vector<std::string> corpus_;
  branch::Random random_;
  const std::size_t size_max_;
};

}  // namespace assent::fuzz
