// Typed calls over rpc::Client for our IDL's one shape of method:
//   Reply method(1: Request request) throws (1: AssentError error)
#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "runtime/rpc/client.h"
#include "runtime/rpc/errors.h"

namespace assent::rpc {

// `Pargs` and `Presult` are the structs that Thrift generates for the method, for example
// wire::Participant_prepare_pargs. A declared AssentError becomes the Error that it stands for.
template <class Pargs, class Presult, class Reply, class Request>
void call(Client& client, std::string_view method, const Request& request, Millis timeout,
          std::function<void(Result<Reply>)> done) {
  struct Answer {
    Reply reply;
    Presult result;
  };
  auto answer = std::make_shared<Answer>();
  answer->result.success = &answer->reply;
  client.call(
      method,
      [&request](apache::thrift::protocol::TProtocol& out) {
        Pargs arguments;
        arguments.request = &request;
        arguments.write(&out);
      },
      [answer](apache::thrift::protocol::TProtocol& in) { answer->result.read(&in); }, timeout,
      [answer, done = std::move(done)](Result<void> outcome) {
        if (!outcome) {
          done(tl::unexpected(std::move(outcome.error())));
        } else if (answer->result.__isset.error) {
          done(tl::unexpected(from_wire(answer->result.error)));
        } else if (!answer->result.__isset.success) {
          done(failure(ErrorCode::kInternal, "the reply held neither a result nor an error"));
        } else {
          done(std::move(answer->reply));
        }
      });
}

}  // namespace assent::rpc

// ASSENT_CALL(wire::Participant, prepare, wire::PrepareReply)(client, request, timeout, done)
#define ASSENT_CALL(service, method, Reply)                                               \
  [](::assent::rpc::Client& to_client, const auto& with_request, ::assent::Millis within, \
     std::function<void(::assent::Result<Reply>)> then_done) {                            \
    ::assent::rpc::call<service##_##method##_pargs, service##_##method##_presult, Reply>( \
        to_client, #method, with_request, within, std::move(then_done));                  \
  }
