#include <sstream>

#include "tests/simulation/postgres/peers.h"

namespace assent::model {

ModelPeer::ModelPeer(std::uint64_t seed)
    : server_(std::make_unique<Server>(scheduler_, simulation::Dice(seed, 5), script_options())) {}

Client& ModelPeer::open(int session) {
  auto& client = clients_[session];
  if (!client || client->lost()) {
    client = std::make_unique<Client>(scheduler_, *server_,
                                      script_logins().at(static_cast<std::size_t>(session - 1)));
  }
  return *client;
}

void ModelPeer::send(int session, postgres::Batch batch) {
  heard_[session] = open(session).start(std::move(batch));
}

void ModelPeer::terminate(int session) {
  server_->terminate(open(session).session());
}

void ModelPeer::cancel(int session) {
  server_->cancel(open(session).session());
}

void ModelPeer::hang_up(int session) {
  server_->hang_up(open(session).session());
  clients_.erase(session);
}

void ModelPeer::crash() {
  server_->crash();
  server_->start();
  settle();
}

bool ModelPeer::is_open(int session) const {
  const auto found = clients_.find(session);
  return found != clients_.end() && !found->second->lost();
}

std::optional<Heard> ModelPeer::take(int session) {
  const auto found = heard_.find(session);
  return found == heard_.end() ? std::nullopt : *found->second;
}

std::set<int> ModelPeer::blockers(int session) {
  if (!observer_ || observer_->lost()) {
    observer_ = std::make_unique<Client>(scheduler_, *server_, Login{"postgres"});
  }
  const std::string pid = std::to_string(server_->pid(open(session).session()));
  std::string found = observer_->value("SELECT pg_blocking_pids(" + pid + ")");
  std::set<int> sessions;
  for (char& c : found) c = c == '{' || c == '}' || c == ',' ? ' ' : c;
  std::istringstream words(found);
  for (int blocker = 0; words >> blocker;) {
    int number = 0;
    for (const auto& [other, client] : clients_) {
      if (!client->lost() && server_->pid(client->session()) == blocker) number = other;
    }
    sessions.insert(number);
  }
  if (sessions.empty()) sessions.insert(kStandby);  // nothing else lets it wait
  return sessions;
}

Content ModelPeer::content() {
  std::string text;
  for (const auto& one : server_->prepared()) {
    text += "prepared " + one.gid + " of " + one.owner + " in " + one.database + "\n";
  }
  for (const auto& [id, balance] : server_->balances()) {
    text += "account " + std::to_string(id) + "=" + std::to_string(balance) + "\n";
  }
  for (const auto& [id, row] : server_->rows("entry")) {
    text += "entry " + id + "=" + row.at(2).value() + "\n";
  }
  for (const auto& [id, row] : server_->rows("child")) text += "child " + id + "\n";
  for (const auto& [id, committed] : server_->outcome_rows()) {
    text += "outcome " + id + "=" + (committed ? "t" : "f") + "\n";
  }
  for (const auto& [id, row] : server_->rows("assent.branch_outcome"))
    text += "branch " + id + "\n";
  for (const auto& [id, row] : server_->rows("assent.branch_outcome_floor")) {
    text += "dropped " + row.at(0).value() + "\n";
  }
  return text;
}

}  // namespace assent::model
