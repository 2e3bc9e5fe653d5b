// Coroutines of this folder: how they start, rest, and wait for a connection's answers.
// GCC 12 compiles a co_await behind && or || into a crash: await into a variable first.
#pragma once

#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <utility>

#include "participant/postgres/connection.h"
#include "runtime/timer.h"

namespace assent::postgres {

namespace asio = boost::asio;

// Waits for `start` to call its argument, once. Nothing is lost when it never does: the coroutine
// is then unwound with the loop.
template <class T>
asio::awaitable<T> called_back(std::function<void(std::function<void(T)>)> start) {
  return asio::async_initiate<const asio::use_awaitable_t<>, void(T)>(
      [](auto handler, std::function<void(std::function<void(T)>)> begin) {
        // std::function must be copyable; the handler of a coroutine is not.
        auto shared = std::make_shared<decltype(handler)>(std::move(handler));
        begin([shared](T value) { std::move (*shared)(std::move(value)); });
      },
      asio::use_awaitable, std::move(start));
}

inline asio::awaitable<Result<Answers>> run(Connection& connection, Batch batch) {
  return called_back<Result<Answers>>(
      [&connection, batch = std::move(batch)](std::function<void(Result<Answers>)> done) mutable {
        connection.send(std::move(batch), std::move(done));
      });
}

// Waits until the timer is due or cancelled. The timer outlives the wait.
inline asio::awaitable<void> woken(Timer& timer) {
  (void)co_await called_back<bool>(
      [&timer](std::function<void(bool)> done) { timer.async_wait(std::move(done)); });
}

inline asio::awaitable<void> pause(asio::io_context& loop, std::chrono::milliseconds time) {
  Timer timer(loop);
  timer.expires_after(time);
  co_await woken(timer);
}

// Starts a coroutine from the loop, never inside this call. `make` returns the coroutine and is
// kept until it ends, so its captures outlive the coroutine. An exception ends the loop's run().
template <class Make>
void spawn(asio::io_context& loop, Make make) {
  asio::post(loop, [&loop, make = std::move(make)]() mutable {
    asio::co_spawn(loop, std::move(make), [](std::exception_ptr thrown) {
      if (thrown) std::rethrow_exception(thrown);
    });
  });
}

}  // namespace assent::postgres
