// Error and the wire's AssentError, one for the other.
#pragma once

#include "base/error.h"
#include "wire/common_types.h"

namespace assent::rpc {

wire::AssentError to_wire(const Error& error);
Error from_wire(const wire::AssentError& error);

}  // namespace assent::rpc
