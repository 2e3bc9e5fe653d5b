// The handlers of a replica's three ports: wire requests in, calls of the services, wire replies
// out.
#pragma once

#include <memory>

#include "coordinator/server/replica.h"

namespace apache::thrift::async {
class TAsyncProcessor;
}

namespace assent::coordinator {

// Each processor keeps a reference to `services`, which outlives it.
std::shared_ptr<apache::thrift::async::TAsyncProcessor> client_processor(Services& services);
std::shared_ptr<apache::thrift::async::TAsyncProcessor> peer_processor(Services& services);
std::shared_ptr<apache::thrift::async::TAsyncProcessor> admin_processor(Services& services);

}  // namespace assent::coordinator
