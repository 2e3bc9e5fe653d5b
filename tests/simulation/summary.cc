#include "tests/simulation/summary.h"

#include <cstdio>
#include <string>

namespace assent::simulation {
namespace {

class LogSummary final : public Summary {
 public:
  void add(const Figures& one) override {
    sum_.commands += one.commands;
    sum_.slots += one.slots;
    sum_.repeated += one.repeated;
    sum_.acknowledged += one.acknowledged;
    sum_.reads += one.reads;
    sum_.snapshots_written += one.snapshots_written;
    sum_.snapshots_installed += one.snapshots_installed;
    sum_.changes += one.changes;
    sum_.refused += one.refused;
    sum_.fault_total += one.fault_total;
    for (std::size_t i = 0; i < kFaultKinds; ++i) sum_.faults[i] += one.faults[i];
    sum_.network += one.network;
    sum_.leader_after_heal = std::max(sum_.leader_after_heal, one.leader_after_heal);
    sum_.progress_after_heal = std::max(sum_.progress_after_heal, one.progress_after_heal);
    commands_.add(one.commands);
    faults_.add(one.fault_total);
  }

  void print() const override {
    print_count("chosen commands", sum_.commands);
    print_count("in slots", sum_.slots);
    print_count("executed again", sum_.repeated);
    print_count("acknowledged", sum_.acknowledged);
    print_count("reads", sum_.reads);
    print_count("snapshots", sum_.snapshots_written);
    print_count("taken in", sum_.snapshots_installed);
    print_count("group changes", sum_.changes);
    print_count("refused disks", sum_.refused);
    print_network(sum_.network);
    print_faults(sum_.fault_total, sum_.faults);
    std::printf("fewest in a run: %llu commands, %llu faults\n",
                static_cast<unsigned long long>(commands_.least),
                static_cast<unsigned long long>(faults_.least));
    std::printf("at the latest after the healing: a leader %.2f s, an answer %.2f s\n",
                as_seconds(sum_.leader_after_heal), as_seconds(sum_.progress_after_heal));
  }

 private:
  Figures sum_;
  Extremes commands_;
  Extremes faults_;
};

}  // namespace

double as_seconds(Micros time) {
  return static_cast<double>(time) / static_cast<double>(kSecond);
}

void print_count(const char* what, std::uint64_t count) {
  std::printf("  %-24s %12llu\n", what, static_cast<unsigned long long>(count));
}

void print_network(const NetworkCounts& network) {
  print_count("messages", network.sent);
  print_count("  lost", network.lost);
  print_count("  cut", network.cut);
  print_count("  doubled", network.doubled);
  print_count("  seconds late", network.late);
}

void print_faults(std::uint64_t total, const FaultCounts& faults) {
  print_count("faults", total);
  for (std::size_t i = 0; i < kFaultKinds; ++i) {
    const std::string kind = "  " + std::string(name(static_cast<Fault>(i)));
    print_count(kind.c_str(), faults[i]);
  }
}

std::unique_ptr<Summary> make_log_summary() {
  return std::make_unique<LogSummary>();
}

}  // namespace assent::simulation
