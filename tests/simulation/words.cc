#include "tests/simulation/words.h"

#include <variant>

#include "base/overloaded.h"

namespace assent::simulation {
namespace {

std::string slots(Slot first, std::size_t count) {
  if (count == 0) return " no slot";
  return " slots " + to_string(first) + ".." + std::to_string(first.value + count - 1);
}

std::string rest(const paxos::PreVote& one) {
  return " chosen " + to_string(one.chosen_through);
}
std::string rest(const paxos::PreVoteAnswer& one) {
  return one.welcome ? " welcome" : " not welcome, promised " + to_string(one.promised);
}
std::string rest(const paxos::Prepare& one) {
  return " from " + to_string(one.from);
}
std::string rest(const paxos::Promise& one) {
  std::string out = " from " + to_string(one.from) + " chosen " + to_string(one.chosen_through);
  for (const paxos::PromisedSlot& slot : one.accepted) {
    out += " " + to_string(slot.slot) + "@" + to_string(slot.accepted.ballot);
  }
  return out + (one.next == Slot() ? "" : " and more from " + to_string(one.next));
}
std::string rest(const paxos::Accept& one) {
  return slots(one.first, one.values.size()) + " chosen " + to_string(one.chosen_through) +
         " probe " + to_string(one.probe);
}
std::string rest(const paxos::AcceptedThrough& one) {
  return " through " + to_string(one.through) + " chosen " + to_string(one.chosen_through) +
         " probe " + to_string(one.probe);
}
std::string rest(const paxos::Refused& one) {
  return " promised " + to_string(one.promised);
}
std::string rest(const paxos::SnapshotOffer& one) {
  return " through " + to_string(one.snapshot.through);
}
std::string rest(const paxos::RecoveryAsk& one) {
  return " nonce " + std::to_string(one.nonce) + " through " + to_string(one.through);
}
std::string rest(const paxos::RecoveryAnswer& one) {
  return " nonce " + std::to_string(one.nonce) + " last " + to_string(one.last);
}
std::string rest(const paxos::TakeOver&) {
  return "";
}

}  // namespace

std::string words(const paxos::Message& message) {
  return std::string(paxos::name(message)) + " " +
         std::visit([](const auto& one) { return to_string(one.ballot) + rest(one); }, message);
}

std::string words(const paxos::Record& record) {
  return std::visit(
      Overloaded{
          [](const paxos::Promised& one) { return "promised " + to_string(one.ballot); },
          [](const paxos::Accepted& one) {
            return "accepted " + to_string(one.slot) + "@" + to_string(one.ballot);
          },
          [](const paxos::ChosenMark& one) { return "chosen through " + to_string(one.through); },
          [](const paxos::Repaired& one) { return "repaired through " + to_string(one.through); },
      },
      record);
}

}  // namespace assent::simulation
