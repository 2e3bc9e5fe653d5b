// What handlers behind generated cob_style interfaces need to answer in our terms:
//
//   void status(rpc::Cob<wire::StatusReply> cob, rpc::ExnCob exn,
//               const wire::StatusRequest& request) override {
//     rpc::answer(cob, exn, rpc::check_version(request.protocol_version).and_then(...));
//   }
//
// A handler answers each call once, now or later, on the loop. The request lives only until the
// handler returns.
#pragma once

#include <thrift/Thrift.h>

#include <cstdint>
#include <functional>
#include <string>

#include "base/error.h"
#include "runtime/rpc/errors.h"
#include "wire/common_constants.h"

namespace assent::rpc {

// The two callbacks of a call: one takes the reply, the other an exception, which it frees.
template <class Reply>
using Cob = std::function<void(const Reply&)>;
using ExnCob = std::function<void(apache::thrift::TDelayedException*)>;

// kUnsupportedVersion unless we speak `version`.
inline Result<void> check_version(std::int32_t version) {
  const std::int32_t ours = wire::g_common_constants.PROTOCOL_VERSION;
  if (version == ours) return {};
  return failure(ErrorCode::kUnsupportedVersion, "protocol_version is " + std::to_string(version) +
                                                     ", but this process speaks " +
                                                     std::to_string(ours));
}

// An empty reply in the version that we speak.
template <class Reply>
Reply versioned() {
  Reply reply;
  reply.protocol_version = wire::g_common_constants.PROTOCOL_VERSION;
  return reply;
}

// Sends the reply, or the error as the declared AssentError.
template <class Reply>
void answer(const Cob<Reply>& cob, const ExnCob& exn, const Result<Reply>& result) {
  if (result) {
    cob(*result);
  } else {
    exn(apache::thrift::TDelayedException::delayException(to_wire(result.error())));
  }
}

}  // namespace assent::rpc
