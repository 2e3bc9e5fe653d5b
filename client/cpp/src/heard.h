// The answer to one try of a request, when it matters who refused: the peer, which may have begun
// to act, or the connection, which carried nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "base/error.h"
#include "runtime/rpc/errors.h"
#include "wire/common_types.h"

namespace apache::thrift::protocol {
class TProtocol;
}

namespace assent::client {

// What the peer said.
template <class Reply>
struct Heard {
  Reply reply;
  std::optional<wire::AssentError> refusal;  // present: there is no reply
};

// Stands in for the struct that Thrift generates for a method's result, so that a declared refusal
// arrives as an answer, and an error is always one of rpc::Client.
template <class Presult, class Reply>
struct HeardResult {
  struct {
    bool success = false;
    bool error = false;  // never
  } __isset;
  Heard<Reply>* success = nullptr;
  wire::AssentError error;

  std::uint32_t read(apache::thrift::protocol::TProtocol* in) {
    Presult result;
    result.success = &success->reply;
    const std::uint32_t length = result.read(in);
    if (result.__isset.error) success->refusal = std::move(result.error);
    __isset.success = result.__isset.success || result.__isset.error;
    return length;
  }
};

template <class Reply>
Result<Reply> answer_of(Result<Heard<Reply>> heard) {
  if (!heard) return tl::unexpected(std::move(heard.error()));
  if (heard->refusal) return tl::unexpected(rpc::from_wire(*heard->refusal));
  return std::move(heard->reply);
}

}  // namespace assent::client
