#include "runtime/rpc/server_connection.h"

#include <sstream>
#include <utility>

#include "base/check.h"
#include "runtime/logging.h"

namespace assent::rpc {

// One call from its frame to its answer. The generated code hands plain pointers to the output
// protocol around, so the callback that it keeps holds this object, and with it all they point to.
class ServerConnection::Call {
 public:
  Call(std::shared_ptr<ServerConnection> connection, Encoding encoding)
      : connection_(std::move(connection)),
        processor_(connection_->shared_->processor),
        output_(encoding, connection_->shared_->configuration) {
    ++connection_->in_flight_;
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  ~Call() {
    if (answered_) return;
    --connection_->in_flight_;
    connection_->on_fault("a handler dropped a call without an answer");
  }

  apache::thrift::protocol::TProtocol& output() { return output_.protocol(); }

  // The generated code's callback: `ok` is false when it could not read the arguments.
  void on_done(bool ok) {
    CHECK(!std::exchange(answered_, true), "a handler answers each call once");
    --connection_->in_flight_;
    if (ok) {
      connection_->on_answered(output_.frame());
    } else {
      connection_->close(Ending::kBroken, "the arguments of a call cannot be read");
    }
  }

 private:
  std::shared_ptr<ServerConnection> connection_;
  std::shared_ptr<apache::thrift::async::TAsyncProcessor> processor_;
  FrameOutput output_;
  bool answered_ = false;
};

ServerConnection::ServerConnection(Socket socket, asio::ip::tcp::endpoint peer,
                                   FlushQueue& flush_queue, std::shared_ptr<ServerShared> shared,
                                   Owner& owner)
    : FramedConnection(std::move(socket), flush_queue, shared->limits.frame_bytes_max),
      shared_(std::move(shared)),
      owner_(owner),
      peer_(std::move(peer)) {}

bool ServerConnection::may_read() const {
  return !shared_->draining && in_flight_ < shared_->limits.in_flight_max &&
         unsent_bytes() < shared_->limits.unsent_bytes_max;
}

void ServerConnection::on_frame(std::string_view payload) {
  if (!encoding_) encoding_ = detect_encoding(payload);
  if (!encoding_ || !is_call(payload, *encoding_)) {
    return close(Ending::kBroken, "a frame does not begin like a call of Thrift's");
  }
  active_ = true;
  ++shared_->counters.calls;
  process(payload);
}

void ServerConnection::process(std::string_view payload) {
  using apache::thrift::protocol::TProtocol;
  const ServerLimits& limits = shared_->limits;
  const auto self = std::static_pointer_cast<ServerConnection>(shared_from_this());
  const auto call = std::make_shared<Call>(self, *encoding_);
  try {
    FrameInput input(payload, *encoding_, {limits.string_bytes_max, limits.container_size_max},
                     shared_->configuration);
    shared_->processor->process([call](bool ok) { call->on_done(ok); }, unowned(input.protocol()),
                                std::shared_ptr<TProtocol>(call, &call->output()));
  } catch (const apache::thrift::protocol::TProtocolException& error) {
    close(Ending::kBroken, error.what());
  } catch (const apache::thrift::transport::TTransportException& error) {
    close(Ending::kBroken, error.what());
  } catch (const std::exception& error) {
    on_fault(error.what());
  }
}

void ServerConnection::on_answered(std::string_view frame) {
  if (!frame.empty()) send(frame);
  // Even without a reply there is room for one call more.
  schedule_flush();
}

void ServerConnection::on_fault(std::string_view why) {
  if (!open()) return;
  log::error("a call failed without an answer",
             {{"port", shared_->name}, {"why", std::string(why)}});
  close(Ending::kByUs, why);
}

void ServerConnection::on_turn_ended() {
  if (shared_->draining) close_if_done();
}

void ServerConnection::close_if_done() {
  if (in_flight_ == 0 && unsent_bytes() == 0) close(Ending::kByUs, "the server stops");
}

void ServerConnection::enforce_times(MonoTime now) {
  const ServerLimits& limits = shared_->limits;
  if (receiving_since() && now - *receiving_since() >= limits.receive_max) {
    return close(Ending::kBroken, "a frame did not arrive in time");
  }
  if (std::exchange(active_, false) || in_flight_ > 0) {
    idle_since_ = now;
  } else if (now - idle_since_ >= limits.idle_max) {
    // Nothing to warn of: an idle client connects again when it has something to say.
    ++shared_->counters.broken;
    close(Ending::kByUs, "no call for too long");
  }
}

void ServerConnection::on_closed(Ending ending, std::string_view why) {
  if (ending == Ending::kBroken) {
    ++shared_->counters.broken;
    warn(why);
  }
  owner_.on_closed(*this);
}

void ServerConnection::warn(std::string_view why) {
  // One line per sweep: a hostile peer must not fill the log.
  if (std::exchange(shared_->warned, true)) return;
  std::ostringstream peer;
  peer << peer_;
  log::warning("closed a connection",
               {{"port", shared_->name}, {"peer", peer.str()}, {"why", std::string(why)}});
}

}  // namespace assent::rpc
