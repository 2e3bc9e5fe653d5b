// One TCP connection that carries Thrift frames both ways: reads and cuts frames, gathers writes.
// The server's connections and the client's link derive from it. Everything runs on the loop's one
// thread; an object lives as long as an operation of its is pending or its owner holds it.
#pragma once

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "runtime/rpc/flush_queue.h"
#include "runtime/rpc/frame_buffer.h"

namespace assent::rpc {

// Bound to the loop's own executor: no type erasure on the way to a handler.
using Socket = asio::basic_stream_socket<asio::ip::tcp, asio::io_context::executor_type>;

enum class Ending : std::uint8_t {
  kByPeer,  // end of stream, or an error of the connection
  kByUs,    // our owner had enough
  kBroken,  // the peer broke a limit or the format
};

class FramedConnection : public std::enable_shared_from_this<FramedConnection> {
 public:
  FramedConnection(Socket socket, FlushQueue& flush_queue, std::uint32_t frame_bytes_max);
  virtual ~FramedConnection() = default;
  FramedConnection(const FramedConnection&) = delete;
  FramedConnection& operator=(const FramedConnection&) = delete;

  // Begins to read. Call once, on an object held by a shared_ptr.
  void start();
  // Queues one or more whole frames; they leave at the end of this turn. Nothing when closed.
  void send(std::string_view frames);
  // Has frames cut and reading resumed at the end of this turn, if may_read() by then.
  void schedule_flush();
  // Closes now and calls on_closed(); nothing when closed before.
  void close(Ending ending, std::string_view why);
  // For FlushQueue: writes what is queued and reads on.
  void flush();

  [[nodiscard]] bool open() const { return open_; }
  [[nodiscard]] std::size_t unsent_bytes() const { return outgoing_.size() - sent_; }
  // Positions in the outgoing stream: of the next byte queued, and of the first that the operating
  // system has not been given.
  [[nodiscard]] std::uint64_t queued_position() const { return position_ + unsent_bytes(); }
  [[nodiscard]] std::uint64_t sent_position() const { return position_; }
  // When the first byte of the frame now being received arrived; nothing between frames.
  [[nodiscard]] std::optional<MonoTime> receiving_since() const { return receiving_since_; }

 protected:
  // A complete frame; the payload is valid during the call.
  virtual void on_frame(std::string_view payload) = 0;
  // While false nothing is read and no frame is handed over. When it turns true again, the owner
  // calls schedule_flush(), unless this happened by sending.
  [[nodiscard]] virtual bool may_read() const = 0;
  // The end of a turn: what could be written has been.
  virtual void on_turn_ended() {}
  // Called once, last.
  virtual void on_closed(Ending ending, std::string_view why) = 0;

 private:
  void on_readable();
  void run_turn();
  void hand_over_frames();
  void note_receiving(bool frame_completed);
  void write_out();
  void advance(std::size_t sent);
  void wait_readable();
  void wait_writable();
  // Takes what has been received and not read off the socket.
  void discard_received();

  std::optional<Socket> socket_;  // while open: the rest of this object may outlive the loop
  FlushQueue& flush_queue_;
  bool open_ = true;
  bool flush_scheduled_ = false;
  bool in_turn_ = false;  // run_turn() is on the stack: it writes out at its end

  // Receiving.
  FrameBuffer received_;
  bool waiting_readable_ = false;
  bool held_back_ = false;  // may_read() was false while frames may be left in received_
  std::optional<MonoTime> receiving_since_;

  // Sending.
  std::string outgoing_;
  std::size_t sent_ = 0;  // of outgoing_
  std::uint64_t position_ = 0;
  bool waiting_writable_ = false;
};

}  // namespace assent::rpc
