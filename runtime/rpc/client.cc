#include "runtime/rpc/client.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <thrift/TApplicationException.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "base/check.h"
#include "runtime/deadline_timer.h"
#include "runtime/process.h"
#include "runtime/rpc/call_table.h"
#include "runtime/rpc/connector.h"
#include "runtime/rpc/framed_connection.h"
#include "runtime/rpc/protocol.h"

namespace assent::rpc {
namespace {

using apache::thrift::protocol::TMessageType;
using apache::thrift::protocol::TProtocol;

// Memory that the encoder may keep from one call to the next.
constexpr std::size_t kKeptBytes = 64 * 1024;

// A connection that stands, as long as its owner holds on to it.
class Link final : public FramedConnection {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual void on_reply(std::string_view payload) = 0;
    virtual void on_lost(std::string_view why) = 0;
  };

  Link(Socket socket, FlushQueue& flush_queue, std::uint32_t frame_bytes_max, Owner& owner)
      : FramedConnection(std::move(socket), flush_queue, frame_bytes_max), owner_(&owner) {}

  // Closes without telling the owner, which may be gone from now on.
  void release() {
    owner_ = nullptr;
    close(Ending::kByUs, "no longer needed");
  }

 private:
  void on_frame(std::string_view payload) override { owner_->on_reply(payload); }
  [[nodiscard]] bool may_read() const override { return true; }
  void on_closed(Ending, std::string_view why) override {
    if (owner_ != nullptr) owner_->on_lost(why);
  }

  Owner* owner_;  // not null while open
};

struct ReplyHeader {
  TMessageType type{};
  std::int32_t seqid = 0;
};

// A system that does not know the option leaves the connection to TCP's own patience.
void limit_stalls(Socket& socket, Millis stalled_max) {
  const auto limit_ms = static_cast<unsigned int>(stalled_max.value);
  (void)setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_USER_TIMEOUT, &limit_ms,
                   sizeof(limit_ms));
}

// Nothing when the frame does not begin like a reply.
std::optional<ReplyHeader> read_header(TProtocol& in) {
  ReplyHeader header;
  try {
    std::string method;
    in.readMessageBegin(method, header.type, header.seqid);
  } catch (const std::exception&) {
    return std::nullopt;
  }
  const bool reply = header.type == apache::thrift::protocol::T_REPLY ||
                     header.type == apache::thrift::protocol::T_EXCEPTION;
  return reply ? std::optional(header) : std::nullopt;
}

// Reads what follows the header; throws what Thrift throws when it cannot be read.
Result<void> read_body(TProtocol& in, TMessageType type, const PendingCall& call) {
  if (type == apache::thrift::protocol::T_EXCEPTION) {
    apache::thrift::TApplicationException thrown;
    thrown.read(&in);
    return failure(ErrorCode::kInternal, call.method + ": " + thrown.what());
  }
  call.read(in);
  return {};
}

}  // namespace

class Client::Impl final : public Link::Owner, public std::enable_shared_from_this<Client::Impl> {
 public:
  Impl(asio::io_context& loop, std::string address, ClientLimits limits);

  void call(std::string_view method, const WriteArguments& write, ReadReply read, Millis timeout,
            Done done);
  Result<void> cast(std::string_view method, const WriteArguments& write);
  void on_connection(std::function<void(bool up)> observer) { observer_ = std::move(observer); }
  // Ends everything at once; nothing is called back any more.
  void stop();

  [[nodiscard]] bool connected() const { return link_ != nullptr; }
  [[nodiscard]] bool refused() const { return refused_; }
  [[nodiscard]] const std::string& address() const { return address_; }

 private:
  Result<std::string_view> encode(TMessageType type, const std::string& method, std::int32_t seqid,
                                  const WriteArguments& write);
  [[nodiscard]] bool has_room() const;
  void transmit(std::string_view frame);
  void refuse(Done done, Error error);
  void on_reply(std::string_view payload) override;

  void connect();
  void on_connected(Result<Socket> socket);
  void on_lost(std::string_view why) override;
  void observe(bool up) const;
  // Ends calls taken out of calls_; one that begins at `sent` or behind it was certainly not sent.
  void fail(const std::vector<PendingCall>& calls, std::uint64_t sent, const std::string& why);

  void arm_timer();
  void on_timer();

  asio::io_context& loop_;
  const std::string address_;
  const ClientLimits limits_;
  const Configuration configuration_;
  std::optional<FrameOutput> encoder_;
  std::function<void(bool up)> observer_;
  bool stopped_ = false;
  bool refused_ = false;

  // At most one of the two is set; with neither there is no connection and none is wanted.
  std::shared_ptr<Connector> connector_;
  std::shared_ptr<Link> link_;
  std::string waiting_;  // frames for the connection that connector_ makes

  CallTable calls_;
  DeadlineTimer timer_;
  std::optional<MonoTime> armed_for_;  // no later than the next deadline
};

Client::Impl::Impl(asio::io_context& loop, std::string address, ClientLimits limits)
    : loop_(loop),
      address_(std::move(address)),
      limits_(limits),
      configuration_(make_configuration(limits.frame_bytes_max)),
      timer_(loop, [this] { on_timer(); }) {
  CHECK_LE(limits.frame_bytes_max, std::uint32_t{std::numeric_limits<std::int32_t>::max()},
           "Thrift counts the bytes of a message in 32 bits with a sign");
}

void Client::Impl::call(std::string_view method, const WriteArguments& write, ReadReply read,
                        Millis timeout, Done done) {
  PendingCall pending{std::string(method), std::move(read), std::move(done),
                      process::monotonic_now() + timeout};
  if (!has_room()) {
    return refuse(std::move(pending.done),
                  {ErrorCode::kUnavailable, "too many calls wait for " + address_});
  }
  const std::int32_t seqid = calls_.next_seqid();
  const Result<std::string_view> frame = encode(TMessageType::T_CALL, pending.method, seqid, write);
  if (!frame) return refuse(std::move(pending.done), frame.error());
  pending.position = link_ ? link_->queued_position() : waiting_.size();
  calls_.add(seqid, std::move(pending));
  transmit(*frame);
  arm_timer();
}

Result<void> Client::Impl::cast(std::string_view method, const WriteArguments& write) {
  if (!has_room()) return failure(ErrorCode::kUnavailable, "too much waits for " + address_);
  const Result<std::string_view> frame =
      encode(TMessageType::T_ONEWAY, std::string(method), calls_.next_seqid(), write);
  if (!frame) return tl::unexpected(frame.error());
  transmit(*frame);
  return {};
}

bool Client::Impl::has_room() const {
  const std::size_t unsent = link_ ? link_->unsent_bytes() : waiting_.size();
  return calls_.size() < limits_.in_flight_max && unsent < limits_.unsent_bytes_max;
}

Result<std::string_view> Client::Impl::encode(TMessageType type, const std::string& method,
                                              std::int32_t seqid, const WriteArguments& write) {
  if (!encoder_ || encoder_->capacity() > kKeptBytes) {
    encoder_.emplace(Encoding::kBinary, configuration_);
  }
  encoder_->reset();
  TProtocol& out = encoder_->protocol();
  try {
    out.writeMessageBegin(method, type, seqid);
    write(out);
    out.writeMessageEnd();
  } catch (const std::exception& error) {
    return failure(ErrorCode::kInvalidArgument, method + " cannot be encoded: " + error.what());
  }
  const std::string_view frame = encoder_->frame();
  if (frame.size() - kFrameHeaderBytes <= limits_.frame_bytes_max) return frame;
  return failure(ErrorCode::kInvalidArgument, method + " does not fit a frame: it takes " +
                                                  std::to_string(frame.size()) + " bytes");
}

void Client::Impl::transmit(std::string_view frame) {
  if (link_) return link_->send(frame);
  waiting_.append(frame);
  if (!connector_) connect();
}

void Client::Impl::refuse(Done done, Error error) {
  asio::post(loop_, [self = shared_from_this(), done = std::move(done),
                     error = std::move(error)]() mutable {
    if (!self->stopped_) done(tl::unexpected(std::move(error)));
  });
}

void Client::Impl::on_reply(std::string_view payload) {
  FrameInput input(
      payload, Encoding::kBinary,
      {std::numeric_limits<std::int32_t>::max(), std::numeric_limits<std::int32_t>::max()},
      configuration_);
  // A callback may end this client: both must live to the end of this function.
  const auto self = shared_from_this();
  const std::shared_ptr<Link> link = link_;
  const std::optional<ReplyHeader> header = read_header(input.protocol());
  if (!header) return link->close(Ending::kBroken, "a reply does not begin like one of Thrift's");
  const std::optional<PendingCall> call = calls_.take(header->seqid);
  if (!call) return;  // It came too late.
  Result<void> outcome;
  bool readable = true;
  try {
    outcome = read_body(input.protocol(), header->type, *call);
  } catch (const std::exception& error) {
    readable = false;
    outcome =
        failure(ErrorCode::kInternal, call->method + ": the reply cannot be read: " + error.what());
  }
  call->done(std::move(outcome));
  if (!readable) link->close(Ending::kBroken, "a reply cannot be read");
}

void Client::Impl::connect() {
  connector_ = std::make_shared<Connector>(loop_);
  connector_->start(address_, limits_.connect_max, [self = shared_from_this()](auto socket) {
    self->on_connected(std::move(socket));
  });
}

void Client::Impl::on_connected(Result<Socket> socket) {
  refused_ = connector_->refused();
  connector_.reset();
  if (!socket) {
    waiting_.clear();
    return fail(calls_.take_all(), 0, socket.error().message);
  }
  limit_stalls(*socket, limits_.stalled_max);
  link_ = std::make_shared<Link>(std::move(*socket), FlushQueue::of(loop_), limits_.frame_bytes_max,
                                 *this);
  link_->send(std::exchange(waiting_, {}));
  observe(true);
  if (link_) link_->start();
}

void Client::Impl::on_lost(std::string_view why) {
  const auto self = shared_from_this();
  const std::uint64_t sent = link_->sent_position();
  link_.reset();
  // The observer may call again: that belongs to the next connection.
  const std::vector<PendingCall> lost = calls_.take_all();
  observe(false);
  fail(lost, sent, "the connection to " + address_ + " was lost: " + std::string(why));
}

void Client::Impl::observe(bool up) const {
  // A copy: the observer may end this client, and itself with it.
  const auto observer = observer_;
  if (observer) observer(up);
}

void Client::Impl::fail(const std::vector<PendingCall>& calls, std::uint64_t sent,
                        const std::string& why) {
  const auto self = shared_from_this();
  for (const PendingCall& call : calls) {
    if (stopped_) return;
    const bool certainly_unsent = call.position >= sent;
    const ErrorCode code = certainly_unsent ? ErrorCode::kUnavailable : ErrorCode::kOutcomeUnknown;
    call.done(failure(code, call.method + ": " + why));
  }
}

void Client::Impl::arm_timer() {
  // An earlier answer does not disarm the timer: finding nothing due costs less than arming it
  // anew for every call.
  const std::optional<MonoTime> next = calls_.next_deadline();
  if (!next || (armed_for_ && *armed_for_ <= *next)) return;
  armed_for_ = next;
  timer_.arm(next);
}

void Client::Impl::on_timer() {
  const auto self = shared_from_this();
  armed_for_.reset();
  const MonoTime now = process::monotonic_now();
  while (const auto call = calls_.take_expired(now)) {
    call->done(failure(ErrorCode::kOutcomeUnknown,
                       call->method + ": no answer from " + address_ + " in time"));
    if (stopped_) return;
  }
  arm_timer();
}

void Client::Impl::stop() {
  stopped_ = true;
  observer_ = nullptr;
  if (connector_) std::exchange(connector_, nullptr)->cancel();
  if (link_) std::exchange(link_, nullptr)->release();
  timer_.arm(std::nullopt);
  calls_.take_all();
}

Client::Client(asio::io_context& loop, std::string address, ClientLimits limits)
    : impl_(std::make_shared<Impl>(loop, std::move(address), limits)) {}

Client::~Client() {
  impl_->stop();
}

void Client::call(std::string_view method, const WriteArguments& write, ReadReply read,
                  Millis timeout, Done done) {
  impl_->call(method, write, std::move(read), timeout, std::move(done));
}

Result<void> Client::cast(std::string_view method, const WriteArguments& write) {
  return impl_->cast(method, write);
}

void Client::on_connection(std::function<void(bool up)> observer) {
  impl_->on_connection(std::move(observer));
}

bool Client::connected() const {
  return impl_->connected();
}

bool Client::refused() const {
  return impl_->refused();
}

const std::string& Client::address() const {
  return impl_->address();
}

}  // namespace assent::rpc
