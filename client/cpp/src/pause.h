// Waiting between the tries of one request, up to a deadline.
#pragma once

#include "base/time.h"
#include "client/cpp/src/backoff.h"

namespace assent::client {

// Time left, at least a millisecond.
Millis until(MonoTime deadline);

// Sleeps for the next pause. False, at once, when the deadline would pass first.
bool pause(Backoff& backoff, MonoTime deadline);

}  // namespace assent::client
