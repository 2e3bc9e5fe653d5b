// What a coordinator's refusal of a commit says of what became of the request.
#pragma once

#include "base/error.h"

namespace assent::client {

// Whether a coordinator that refused a commit so may have acted upon the request, or another one
// upon an earlier copy of it.
bool may_have_acted(ErrorCode code);

}  // namespace assent::client
