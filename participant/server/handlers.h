// The handlers of an agent's three ports: wire requests in, calls of the branches, wire replies
// out.
#pragma once

#include <memory>

#include "participant/server/agent.h"

namespace apache::thrift::async {
class TAsyncProcessor;
}

namespace assent::participant {

// Each processor keeps a reference to `services`, which outlives it.
std::shared_ptr<apache::thrift::async::TAsyncProcessor> client_processor(Services& services);
std::shared_ptr<apache::thrift::async::TAsyncProcessor> peer_processor(Services& services);
std::shared_ptr<apache::thrift::async::TAsyncProcessor> admin_processor(Services& services);

}  // namespace assent::participant
