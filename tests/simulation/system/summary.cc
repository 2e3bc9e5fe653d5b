#include "tests/simulation/system/summary.h"

#include <algorithm>
#include <cstdio>
#include <numeric>
#include <string>

#include "tests/simulation/buggify.h"
#include "tests/simulation/system/tally.h"
#include "tests/simulation/system/troubles.h"

namespace assent::simulation::system {
namespace {

constexpr const char* kGidEvents[] = {"  prepared", "  committed", "  rolled back", "  lost",
                                      "  reappeared"};

template <class Numbers>
void add_each(Numbers& sum, const Numbers& one) {
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += one[i];
}

void add(SystemFigures& sum, const SystemFigures& one) {
  sum.transactions += one.transactions;
  sum.committed += one.committed;
  sum.aborted += one.aborted;
  sum.one_phase += one.one_phase;
  sum.unknown += one.unknown;
  sum.agent_lives += one.agent_lives;
  sum.server_crashes += one.server_crashes;
  add_each(sum.troubles, one.troubles);
  add_each(sum.gid_events, one.gid_events);
  add_each(sum.in_doubt, one.in_doubt);
  sum.in_doubt_max = std::max(sum.in_doubt_max, one.in_doubt_max);
  add_each(sum.buggified, one.buggified);
}

class SystemSummary final : public Summary {
 public:
  void add(const Figures& one) override {
    system::add(sum_.system, one.system);
    sum_.commands += one.commands;
    sum_.changes += one.changes;
    sum_.fault_total += one.fault_total;
    add_each(sum_.faults, one.faults);
    sum_.network += one.network;
    sum_.progress_after_heal = std::max(sum_.progress_after_heal, one.progress_after_heal);
    transactions_.add(one.system.committed + one.system.aborted);
    faults_.add(one.fault_total);
  }

  void print() const override {
    print_transactions();
    print_network(sum_.network);
    print_faults(sum_.fault_total, sum_.faults);
    for (std::size_t i = 0; i < kTroubleKinds; ++i) {
      const std::string kind = "  " + std::string(name(static_cast<Trouble>(i)));
      print_count(kind.c_str(), sum_.system.troubles[i]);
    }
    print_coverage();
    print_in_doubt();
    std::printf("fewest in a run: %llu transactions told, %llu faults\n",
                static_cast<unsigned long long>(transactions_.least),
                static_cast<unsigned long long>(faults_.least));
  }

 private:
  void print_transactions() const {
    const SystemFigures& all = sum_.system;
    print_count("transactions", all.transactions);
    print_count("  told committed", all.committed);
    print_count("  told aborted", all.aborted);
    print_count("  in one phase", all.one_phase);
    print_count("  told unknown first", all.unknown);
    print_count("log commands", sum_.commands);
    print_count("lives of agents", all.agent_lives);
    print_count("crashes of servers", all.server_crashes);
    print_count("gid events",
                std::accumulate(all.gid_events.begin(), all.gid_events.end(), std::uint64_t{0}));
    for (std::size_t i = 0; i < all.gid_events.size(); ++i) {
      print_count(kGidEvents[i], all.gid_events[i]);
    }
  }

  void print_coverage() const {
    const auto& hits = sum_.system.buggified;
    const auto hit = std::count_if(hits.begin(), hits.end(), [](auto count) { return count > 0; });
    std::printf("buggify points hit: %td of %zu\n", hit, kPoints);
    for (std::size_t i = 0; i < kPoints; ++i) {
      const std::string point = "  " + std::string(simulation::name(static_cast<Point>(i)));
      print_count(point.c_str(), hits[i]);
    }
  }

  void print_in_doubt() const {
    const Durations& all = sum_.system.in_doubt;
    std::printf(
        "in doubt after the healing: %llu branches, p50 %.3f s, max %.3f s; "
        "all at rest after %.2f s at the latest\n",
        static_cast<unsigned long long>(std::accumulate(all.begin(), all.end(), std::uint64_t{0})),
        as_seconds(median(all)), as_seconds(sum_.system.in_doubt_max),
        as_seconds(sum_.progress_after_heal));
  }

  Figures sum_;
  Extremes transactions_;
  Extremes faults_;
};

}  // namespace

std::unique_ptr<Summary> make_system_summary() {
  return std::make_unique<SystemSummary>();
}

}  // namespace assent::simulation::system
