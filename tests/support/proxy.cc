#include "tests/support/proxy.h"

#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <span>
#include <string_view>
#include <utility>

#include "base/check.h"

namespace assent::testing {
namespace {

using Protocol = boost::asio::local::stream_protocol;
using boost::system::error_code;

constexpr char kSocketName[] = "/.s.PGSQL.5432";

std::string make_directory() {
  std::string path = "/tmp/assent-proxy-XXXXXX";
  CHECK(mkdtemp(path.data()) != nullptr, "a test may make a directory");
  return path;
}

// Falsifies BackendKeyData: 'K', its length, the process id, the key for cancels.
void hide_backend(std::span<char> bytes) {
  constexpr std::string_view kHead("K\0\0\0\x0c", 5);
  const auto found = std::ranges::search(bytes, kHead);
  if (!found.empty() && std::ranges::distance(found.end(), bytes.end()) >= 4) *found.end() ^= 0x20;
}

// The size of the message that `bytes` begin with: its type, then its length, which counts itself.
// 0: they are not the whole of it.
std::size_t first_message(std::string_view bytes) {
  constexpr std::size_t kHead = 5;
  if (bytes.size() < kHead) return 0;
  std::uint32_t length = 0;
  std::memcpy(&length, bytes.data() + 1, sizeof length);
  const std::size_t size = 1 + std::size_t{ntohl(length)};
  return size <= bytes.size() ? size : 0;
}

// Of bytes that were written to a socket.
bool all_were_read(Protocol::socket& socket) {
  int left = 0;
  return ioctl(socket.native_handle(), TIOCOUTQ, &left) != 0 || left == 0;
}

}  // namespace

struct Proxy::Link : std::enable_shared_from_this<Link> {
  explicit Link(Protocol::socket accepted, boost::asio::io_context& loop)
      : client(std::move(accepted)), server(loop) {}

  // Carries bytes from one end to the other until one is closed; then closes both, unless the
  // client was cut off on purpose.
  void pump(Protocol::socket& from, Protocol::socket& to, std::array<char, 65536>& buffer,
            const bool& held) {
    from.async_read_some(boost::asio::buffer(buffer), [self = shared_from_this(), &from, &to,
                                                       &buffer,
                                                       &held](error_code error, std::size_t size) {
      if (error) return self->close();
      if (held) return;
      if (self->singly && &from == &self->server) return self->part({buffer.data(), size});
      if (self->hides_backend && &from == &self->server) hide_backend({buffer.data(), size});
      boost::asio::async_write(to, boost::asio::buffer(buffer, size),
                               [self, &from, &to, &buffer, &held](error_code failed, std::size_t) {
                                 if (failed) return self->close();
                                 self->pump(from, to, buffer, held);
                               });
    });
  }

  void part(std::string_view bytes) {
    undelivered += bytes;
    deliver_next();
  }

  void deliver_next() {
    const std::size_t size = first_message(undelivered);
    if (size == 0) return pump(server, client, to_client, answers_held);
    const auto message = std::make_shared<std::string>(undelivered, 0, size);
    undelivered.erase(0, size);
    boost::asio::async_write(client, boost::asio::buffer(*message),
                             [self = shared_from_this(), message](error_code failed, std::size_t) {
                               if (failed) return self->close();
                               self->await_read();
                             });
  }

  // The client reads on the same loop, so it has its turn between two looks.
  void await_read() {
    if (!client.is_open()) return;
    if (all_were_read(client)) return deliver_next();
    boost::asio::post(client.get_executor(), [self = shared_from_this()] { self->await_read(); });
  }

  void close() {
    if (cut) return;
    client.close();
    server.close();
  }

  Protocol::socket client;
  Protocol::socket server;
  std::array<char, 65536> to_server{};
  std::array<char, 65536> to_client{};
  bool never_held = false;
  bool answers_held = false;
  bool cut = false;
  bool hides_backend = false;
  bool singly = false;
  std::string undelivered;  // of the server's messages, when they go singly
};

Proxy::Proxy(boost::asio::io_context& loop, const std::string& server_directory)
    : loop_(loop),
      server_directory_(server_directory),
      directory_(make_directory()),
      acceptor_(loop, Protocol::endpoint(directory_ + kSocketName)) {
  accept();
}

Proxy::~Proxy() {
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

void Proxy::accept() {
  acceptor_.async_accept([this](error_code error, Protocol::socket client) {
    if (error) return;
    auto link = std::make_shared<Link>(std::move(client), loop_);
    link->hides_backend = hide_backends_;
    error_code unreachable;
    link->server.connect(Protocol::endpoint(server_directory_ + kSocketName), unreachable);
    if (!unreachable) {
      link->pump(link->client, link->server, link->to_server, link->never_held);
      link->pump(link->server, link->client, link->to_client, link->answers_held);
      links_.push_back(std::move(link));
    }
    accept();
  });
}

void Proxy::hold_answers() {
  for (const auto& link : links_) link->answers_held = true;
}

void Proxy::deliver_singly() {
  for (const auto& link : links_) link->singly = true;
}

void Proxy::cut_clients() {
  for (const auto& link : links_) {
    link->cut = true;
    link->client.close();
  }
}

}  // namespace assent::testing
