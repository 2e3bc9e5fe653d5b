// What is said of a file that a newer version wrote. It is left as it is.
#pragma once

#include <cstdint>
#include <string>

#include "base/error.h"

namespace assent::storage {

// `has` names the thing and the format that was found; this program reads formats up to `known`.
inline tl::unexpected<Error> newer_format(const std::string& has, std::uint64_t known) {
  return failure(ErrorCode::kUnsupportedVersion,
                 has + ", this program reads up to " + std::to_string(known) +
                     ": a newer version of Assent wrote it. Nothing was changed; run the version "
                     "that wrote it, or newer.");
}

}  // namespace assent::storage
