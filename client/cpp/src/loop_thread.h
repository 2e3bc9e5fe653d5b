// The one background thread of a client: an event loop with a connection to each address in use.
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "base/error.h"
#include "base/time.h"
#include "runtime/rpc/client.h"

namespace assent::client {

class LoopThread {
 public:
  LoopThread();
  // Runs what was posted before, then ends the thread and closes the connections without answering
  // the calls in flight. Precondition: nobody waits in ask(), and this is not the loop's thread.
  ~LoopThread();
  LoopThread(const LoopThread&) = delete;
  LoopThread& operator=(const LoopThread&) = delete;

  // Runs `work` on the loop's thread, later.
  template <class Work>
  void post(Work work) {
    boost::asio::post(loop_, std::move(work));
  }

  // Runs `work` on the loop's thread again and again, `period` after the last time. Call it once.
  void repeat(Millis period, std::function<void()> work);

  // Runs `work` once, after a pause. On the loop's thread only.
  void after(Millis pause, std::function<void()> work);

  // The connection to an address, made when first asked for. On the loop's thread only. It is kept
  // for the client's life: calls may be in flight on it, and addresses are few.
  [[nodiscard]] rpc::Client& connection(const std::string& address);

  // Makes a call of ASSENT_CALL's kind from another thread and waits for its answer. Now and then
  // `is_vain` is asked: with true the wait ends, as kOutcomeUnknown. It must wait for the loop's
  // thread, which has then made the call, and uses `address` and `request` no more.
  template <class Reply, class Call, class Request>
  Result<Reply> ask(Call call, const std::string& address, const Request& request, Millis timeout,
                    const std::function<bool()>& is_vain = {}) {
    // Shared, because the waiting side may be gone while the promise is still being fulfilled.
    const auto promise = std::make_shared<std::promise<Result<Reply>>>();
    auto answer = promise->get_future();
    post([this, call, &address, &request, timeout, promise] {
      call(connection(address), request, timeout,
           [promise](Result<Reply> result) { promise->set_value(std::move(result)); });
    });
    while (is_vain && answer.wait_for(kPatience) == std::future_status::timeout) {
      if (is_vain()) {
        return failure(ErrorCode::kOutcomeUnknown,
                       address + " does not lead any more, and has not answered");
      }
    }
    return answer.get();
  }

 private:
  static constexpr std::chrono::milliseconds kPatience{500};

  void rearm();

  boost::asio::io_context loop_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> busy_;
  std::map<std::string, std::unique_ptr<rpc::Client>> connections_;
  boost::asio::steady_timer timer_;
  Millis period_;
  std::function<void()> repeated_;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace assent::client
