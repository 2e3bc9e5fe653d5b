// Finds out whom statements wait for, while they still wait: when PostgreSQL gives a statement up
// at its lock timeout, it does not say, and the wait can no longer be seen.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <vector>

#include "participant/postgres/branch_work.h"
#include "participant/postgres/context.h"
#include "participant/postgres/control.h"
#include "runtime/timer.h"

namespace assent::postgres {

class LockWatch : public std::enable_shared_from_this<LockWatch> {
 public:
  using Works = std::function<std::vector<std::shared_ptr<BranchWork>>()>;

  // `works` gives the branches at work now.
  LockWatch(std::shared_ptr<Context> context, std::shared_ptr<Control> control, Works works);

  // A branch has come to work; the watch rests while there is none.
  void wake();
  void close();

 private:
  boost::asio::awaitable<void> watch();
  boost::asio::awaitable<void> look();

  const std::shared_ptr<Context> context_;
  const std::shared_ptr<Control> control_;
  const Works works_;
  Timer timer_;
  bool watching_ = false;
};

}  // namespace assent::postgres
