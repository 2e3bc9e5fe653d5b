// A call over loopback: our client, our server on a thread of its own, the smallest request.
#include <benchmark/benchmark.h>

#include <boost/asio/io_context.hpp>

#include "base/check.h"
#include "runtime/rpc/call.h"
#include "runtime/rpc/client.h"
#include "tests/client/fake_cluster.h"
#include "wire/Coordinator.h"
#include "wire/common_constants.h"

namespace assent {
namespace {

constexpr Millis kTimeout{5'000};

// So many calls on their way at once over one connection.
void call_is_answered(benchmark::State& run) {
  fake::Cluster cluster;
  boost::asio::io_context loop(1);
  rpc::Client client(loop, cluster.first.port.address());
  wire::HelloRequest request;
  request.protocol_version = wire::g_common_constants.PROTOCOL_VERSION;
  for (auto _ : run) {
    std::int64_t answered = 0;
    for (std::int64_t i = 0; i < run.range(0); ++i) {
      ASSENT_CALL(wire::Coordinator, hello, wire::HelloReply)
      (client, request, kTimeout, [&](const Result<wire::HelloReply>& reply) {
        CHECK(reply.has_value(), "the fake answers");
        if (++answered == run.range(0)) loop.stop();
      });
    }
    loop.run();
    loop.restart();
  }
  run.SetItemsProcessed(run.iterations() * run.range(0));
}
// Not for long: the fake remembers every call.
BENCHMARK(call_is_answered)->Arg(1)->Arg(32)->ArgName("calls")->UseRealTime()->Iterations(2'000);

}  // namespace
}  // namespace assent
