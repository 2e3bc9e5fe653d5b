#include "runtime/rpc/framed_connection.h"

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <utility>

#include "runtime/failpoint.h"
#include "runtime/process.h"

namespace assent::rpc {
namespace {

using boost::system::error_code;

constexpr std::size_t kReadBytes = 64 * 1024;
// Memory that a connection may keep for its next replies.
constexpr std::size_t kKeptBytes = 16 * 1024;
// Reads that a closing connection spends on discarding.
constexpr int kDiscardReads = 16;

// All connections of a thread read into one buffer: an idle connection owns none.
std::array<char, kReadBytes>& read_buffer() {
  thread_local std::array<char, kReadBytes> buffer;
  return buffer;
}

bool would_block(const error_code& error) {
  return error == asio::error::would_block || error == asio::error::try_again;
}

std::string describe(const error_code& error) {
  return error == asio::error::eof ? "the peer closed the connection" : error.message();
}

}  // namespace

FramedConnection::FramedConnection(Socket socket, FlushQueue& flush_queue,
                                   std::uint32_t frame_bytes_max)
    : socket_(std::move(socket)), flush_queue_(flush_queue), received_(frame_bytes_max) {}

void FramedConnection::start() {
  error_code error;
  socket_->non_blocking(true, error);
  if (!error) socket_->set_option(asio::ip::tcp::no_delay(true), error);
  if (error) return close(Ending::kByPeer, describe(error));
  wait_readable();
}

void FramedConnection::send(std::string_view frames) {
  if (!open_) return;
  outgoing_.append(frames);
  schedule_flush();
}

void FramedConnection::schedule_flush() {
  if (!open_ || in_turn_ || std::exchange(flush_scheduled_, true)) return;
  flush_queue_.add(shared_from_this());
}

void FramedConnection::flush() {
  flush_scheduled_ = false;
  run_turn();
}

void FramedConnection::on_readable() {
  error_code error;
  const std::size_t size = socket_->read_some(asio::buffer(read_buffer()), error);
  if (would_block(error)) return wait_readable();
  if (error) return close(Ending::kByPeer, describe(error));
  received_.append({read_buffer().data(), size});
  run_turn();
}

void FramedConnection::run_turn() {
  in_turn_ = true;
  hand_over_frames();
  write_out();
  in_turn_ = false;
  if (open_) on_turn_ended();
  if (!open_ || !may_read()) return;
  if (held_back_) {
    // Sending made room. The next turn goes on, so that other connections have theirs first.
    schedule_flush();
  } else {
    wait_readable();
  }
}

void FramedConnection::hand_over_frames() {
  bool frame_completed = false;
  held_back_ = false;
  while (open_) {
    held_back_ = !may_read();
    if (held_back_) break;
    const std::optional<std::string_view> payload = received_.next();
    if (!payload) break;
    frame_completed = true;
    on_frame(*payload);
  }
  if (open_ && received_.oversized()) close(Ending::kBroken, "a frame is longer than allowed");
  note_receiving(frame_completed);
}

void FramedConnection::note_receiving(bool frame_completed) {
  if (!open_ || held_back_ || received_.empty()) {
    receiving_since_.reset();
  } else if (frame_completed || !receiving_since_) {
    receiving_since_ = process::monotonic_now();
  }
}

void FramedConnection::write_out() {
  while (open_ && !waiting_writable_ && unsent_bytes() > 0) {
    error_code error;
    const std::size_t sent =
        socket_->write_some(asio::buffer(outgoing_.data() + sent_, unsent_bytes()), error);
    if (would_block(error)) return wait_writable();
    if (error) return close(Ending::kByPeer, describe(error));
    advance(sent);
    if (unsent_bytes() == 0) failpoint("wire.written");
  }
}

void FramedConnection::advance(std::size_t sent) {
  position_ += sent;
  sent_ += sent;
  // Moving what is left only when it is the smaller part keeps the cost linear.
  if (unsent_bytes() > sent_) return;
  outgoing_.erase(0, sent_);
  sent_ = 0;
  if (outgoing_.empty() && outgoing_.capacity() > kKeptBytes) outgoing_ = std::string();
}

void FramedConnection::wait_readable() {
  if (std::exchange(waiting_readable_, true)) return;
  socket_->async_wait(Socket::wait_read,
                      [self = shared_from_this()](const error_code& /* close() has the news */) {
                        self->waiting_readable_ = false;
                        if (self->open_ && self->may_read()) self->on_readable();
                      });
}

void FramedConnection::wait_writable() {
  if (std::exchange(waiting_writable_, true)) return;
  socket_->async_wait(Socket::wait_write, [self = shared_from_this()](const error_code&) {
    self->waiting_writable_ = false;
    if (self->open_) self->run_turn();
  });
}

void FramedConnection::close(Ending ending, std::string_view why) {
  if (!std::exchange(open_, false)) return;
  if (ending == Ending::kByUs) discard_received();
  socket_.reset();
  receiving_since_.reset();
  on_closed(ending, why);
}

void FramedConnection::discard_received() {
  // Closing a socket with unread bytes resets the connection, and a reset can take away replies
  // that the peer has not read yet.
  error_code error;
  for (int i = 0; i < kDiscardReads && !error; ++i) {
    socket_->read_some(asio::buffer(read_buffer()), error);
  }
}

}  // namespace assent::rpc
