#include "tests/simulation/report.h"

#include <algorithm>
#include <cstdio>

namespace assent::simulation {
namespace {

double as_seconds(Micros time) {
  return static_cast<double>(time) / static_cast<double>(kSecond);
}

void print_count(const char* what, std::uint64_t count) {
  std::printf("  %-16s %12llu\n", what, static_cast<unsigned long long>(count));
}

}  // namespace

std::string replay_command(std::uint64_t seed, const std::string& canary) {
  const std::string with = canary.empty() ? "" : " --canary " + canary;
  return "tests/simulation/run --replay " + std::to_string(seed) + with;
}

Report::Report(SeedRange seeds, std::string canary) : seeds_(seeds), canary_(std::move(canary)) {}

double Report::seconds() const {
  return std::chrono::duration<double>(Clock::now() - begun_).count();
}

void Report::add(const Run& run) {
  const Figures& one = run.figures;
  ++runs_;
  sum_.time += one.time;
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
  sum_.network.sent += one.network.sent;
  sum_.network.lost += one.network.lost;
  sum_.network.cut += one.network.cut;
  sum_.network.doubled += one.network.doubled;
  sum_.network.late += one.network.late;
  sum_.leader_after_heal = std::max(sum_.leader_after_heal, one.leader_after_heal);
  sum_.progress_after_heal = std::max(sum_.progress_after_heal, one.progress_after_heal);
  if (run.violation) {
    ++failures_;
    caught_[std::string(name(run.violation->checker))].push_back(one.seed);
    print_failure(run);
  } else {
    commands_min_ = std::min(commands_min_, one.commands);
    faults_min_ = std::min(faults_min_, one.fault_total);
  }
  maybe_print_progress();
}

void Report::print_failure(const Run& run) const {
  std::printf("seed %llu, at %.3f s: %s: %s\n  replay: %s\n",
              static_cast<unsigned long long>(run.figures.seed), as_seconds(run.figures.time),
              std::string(name(run.violation->checker)).c_str(), run.violation->what.c_str(),
              replay_command(run.figures.seed, canary_).c_str());
  std::fflush(stdout);
}

void Report::maybe_print_progress() {
  if (Clock::now() - told_ < std::chrono::seconds(5)) return;
  told_ = Clock::now();
  std::fprintf(stderr, "%6.1f s: %llu of %llu seeds, %llu failed\n", seconds(),
               static_cast<unsigned long long>(runs_),
               static_cast<unsigned long long>(seeds_.count()),
               static_cast<unsigned long long>(failures_));
}

void Report::print() const {
  const double simulated = as_seconds(sum_.time);
  std::printf("seeds %llu to %llu: %.1f s, %.2f h of simulated time, %.0f times real time\n",
              static_cast<unsigned long long>(seeds_.first),
              static_cast<unsigned long long>(seeds_.last), seconds(), simulated / 3'600,
              simulated / seconds());
  print_count("chosen commands", sum_.commands);
  print_count("in slots", sum_.slots);
  print_count("executed again", sum_.repeated);
  print_count("acknowledged", sum_.acknowledged);
  print_count("reads", sum_.reads);
  print_count("snapshots", sum_.snapshots_written);
  print_count("taken in", sum_.snapshots_installed);
  print_count("group changes", sum_.changes);
  print_count("refused disks", sum_.refused);
  print_faults();
  if (runs_ > failures_) {
    std::printf("fewest in a run: %llu commands, %llu faults\n",
                static_cast<unsigned long long>(commands_min_),
                static_cast<unsigned long long>(faults_min_));
  }
  std::printf("at the latest after the healing: a leader %.2f s, an answer %.2f s\n",
              as_seconds(sum_.leader_after_heal), as_seconds(sum_.progress_after_heal));
  for (const auto& [checker, seeds] : caught_) {
    std::printf("caught by %s: %zu seeds, the lowest %llu\n", checker.c_str(), seeds.size(),
                static_cast<unsigned long long>(*std::min_element(seeds.begin(), seeds.end())));
  }
  std::printf("%s: %llu of %llu seeds failed\n", failures_ == 0 ? "PASSED" : "FAILED",
              static_cast<unsigned long long>(failures_), static_cast<unsigned long long>(runs_));
}

void Report::print_faults() const {
  print_count("messages", sum_.network.sent);
  print_count("  lost", sum_.network.lost);
  print_count("  cut", sum_.network.cut);
  print_count("  doubled", sum_.network.doubled);
  print_count("  seconds late", sum_.network.late);
  print_count("faults", sum_.fault_total);
  for (std::size_t i = 0; i < kFaultKinds; ++i) {
    const std::string kind = "  " + std::string(name(static_cast<Fault>(i)));
    print_count(kind.c_str(), sum_.faults[i]);
  }
}

}  // namespace assent::simulation
