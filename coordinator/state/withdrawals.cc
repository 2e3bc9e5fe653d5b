#include "coordinator/state/withdrawals.h"

#include "base/check.h"
#include "coordinator/state/encoding.h"

namespace assent::state {
namespace {

const Withdrawal* find(const std::map<std::string, Withdrawal>& all, const std::string& name) {
  const auto found = all.find(name);
  return found == all.end() ? nullptr : &found->second;
}

void put_all(Encoder& out, const std::map<std::string, Withdrawal>& all) {
  out.put_varint(all.size());
  for (const auto& [name, one] : all) {
    out.put_string(name);
    out.put_string(one.operator_name);
    out.put_string(one.reason);
    put_time(out, one.at);
  }
}

std::map<std::string, Withdrawal> read_all(Reader& in) {
  std::map<std::string, Withdrawal> out;
  const std::uint64_t count = in.varint();
  for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
    std::string name = in.text();
    in.require(valid_participant_name(name));
    Withdrawal one;
    one.operator_name = in.text();
    one.reason = in.text();
    one.at = read_time(in);
    in.require(out.emplace(std::move(name), std::move(one)).second);
  }
  return out;
}

}  // namespace

void Withdrawals::drain(LogTime time, const ParticipantDrained& command) {
  drained_.try_emplace(command.participant,
                       Withdrawal{command.operator_name, command.reason, time});
}

void Withdrawals::remove(LogTime time, const ParticipantRemoved& command) {
  CHECK_EQ(drained_.erase(command.participant), 1u, "only who is drained is removed");
  removed_.emplace(command.participant, Withdrawal{command.operator_name, command.reason, time});
}

const Withdrawal* Withdrawals::drained(const std::string& participant) const {
  return find(drained_, participant);
}

const Withdrawal* Withdrawals::removed(const std::string& participant) const {
  return find(removed_, participant);
}

void Withdrawals::check_invariants() const {
  for (const auto& [name, one] : drained_) {
    CHECK(!removed_.contains(name), "who was removed is not there to be drained");
  }
}

struct WithdrawalsEncoding {
  static void put(Encoder& out, const Withdrawals& withdrawals) {
    put_all(out, withdrawals.drained_);
    put_all(out, withdrawals.removed_);
  }

  static Withdrawals read(Reader& in) {
    Withdrawals out;
    out.drained_ = read_all(in);
    out.removed_ = read_all(in);
    for (const auto& [name, one] : out.drained_) in.require(!out.removed_.contains(name));
    return out;
  }
};

void put(Encoder& out, const Withdrawals& withdrawals) {
  WithdrawalsEncoding::put(out, withdrawals);
}

Withdrawals read_withdrawals(Reader& in) {
  return WithdrawalsEncoding::read(in);
}

}  // namespace assent::state
