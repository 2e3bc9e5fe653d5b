// What a look at a process's surroundings found: one thing at a time, each with its remedy.
#pragma once

#include <cstdint>
#include <string>

#include "base/error.h"

namespace assent {

enum class Verdict : std::uint8_t {
  kGood,
  kWarning,  // it works, but promises less than people expect, or will soon be short
  kFailure,  // the process cannot serve before this is mended
};

struct Finding {
  std::string check;  // a short, stable name
  Verdict verdict = Verdict::kGood;
  std::string found;                             // one sentence
  std::string remedy;                            // empty when good
  ErrorCode code = ErrorCode::kInvalidArgument;  // of a failure, as an error
};

}  // namespace assent
