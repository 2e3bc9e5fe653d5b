// Coroutines of this folder: how they start, rest, and wait for a connection's answers.
// GCC 12 compiles a co_await behind && or || into a crash: await into a variable first.
#pragma once

#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <utility>

#include "participant/postgres/connection.h"

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

// Waits until the timer is due or cancelled.
inline asio::awaitable<void> woken(asio::steady_timer& timer) {
  boost::system::error_code cancelled;
  co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
}

inline asio::awaitable<void> pause(std::chrono::milliseconds time) {
  asio::steady_timer timer(co_await asio::this_coro::executor, time);
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
