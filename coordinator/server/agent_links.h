// The leader's connections to the agents: one pipelined connection each, kept up by asking every
// agent for its inventory again and again. Turns the office's sends into calls, and answers into
// its inputs.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/ids.h"
#include "coordinator/commit/office.h"
#include "runtime/rpc/client.h"

namespace boost::asio {
class io_context;
}

namespace assent::coordinator {

class AgentLinks {
 public:
  using Sink = std::function<void(commit::Input)>;

  // Every request carries `cluster` and `ballot` (R4). Inputs go to `sink`, on the loop, never from
  // inside a call of this class. The loop outlives the links.
  AgentLinks(boost::asio::io_context& loop, std::string cluster, Ballot ballot, Sink sink);
  ~AgentLinks();

  // Reaches this life of a participant at this "host:port" from now on, and asks for its inventory
  // at once. Whoever else answers there is not to act on what is sent. `life` is its nonce; empty:
  // the log does not know it.
  void follow(const std::string& participant, const std::string& address, const std::string& life);

  // It was removed: nobody there is asked any more.
  void leave(const std::string& participant);

  // The agent says that what is prepared can be ended from now on: what waits is sent again, and
  // it is asked for its inventory, at once.
  void recovered(const std::string& participant);

  void send(const commit::SendPrepare& prepare);
  void send(const commit::SendFinish& finish);
  void send(const commit::SendSettle& settle);

  // A connection to it stands.
  [[nodiscard]] bool connected(const std::string& participant) const;

  // Asks every agent that is not being asked already what it has prepared. Call this about once a
  // second: it is how orphans of a lost leader are found, and how broken connections come back.
  void ask_inventories();

 private:
  struct Link;

  void ask_inventory(const std::string& participant, Link& link);
  Link* find(const std::string& participant);
  void report_lost(commit::Input input);

  boost::asio::io_context& loop_;
  const std::string cluster_;
  const Ballot ballot_;
  const Sink sink_;
  std::map<std::string, std::unique_ptr<Link>> links_;
  // Of agents that moved; each is kept until its last call is answered or given up as lost, because
  // the office sends nothing again before it hears that.
  std::vector<std::unique_ptr<Link>> retired_;
  std::shared_ptr<char> alive_ = std::make_shared<char>();  // what is posted holds it weakly
};

}  // namespace assent::coordinator
