#include "tests/simulation/report.h"

#include <algorithm>
#include <cstdio>

namespace assent::simulation {
namespace {

constexpr std::size_t kListed = 20;

// The lowest of them, each with a blank in front.
std::string lowest(std::vector<std::uint64_t> seeds) {
  std::sort(seeds.begin(), seeds.end());
  std::string out;
  for (std::size_t i = 0; i < std::min(seeds.size(), kListed); ++i) {
    out += " " + std::to_string(seeds[i]);
  }
  return out + (seeds.size() > kListed ? " ..." : "");
}

}  // namespace

std::string replay_command(const Simulator& simulator, std::uint64_t seed,
                           const std::string& canary) {
  const std::string with = canary.empty() ? "" : " --canary " + canary;
  return "tests/simulation/run" + std::string(simulator.chosen_by) + " --replay " +
         std::to_string(seed) + with;
}

Report::Report(const Simulator& simulator, std::string canary, std::uint64_t runs)
    : simulator_(simulator),
      canary_(std::move(canary)),
      expected_(runs),
      summary_(simulator.make_summary()) {}

double Report::seconds() const {
  return std::chrono::duration<double>(Clock::now() - begun_).count();
}

void Report::add(const Run& run) {
  ++runs_;
  time_ += run.figures.time;
  seeds_.add(run.figures.seed);
  if (run.violation) {
    ++failures_;
    caught_[std::string(name(run.violation->checker))].push_back(run.figures.seed);
    print_failure(run);
  } else {
    summary_->add(run.figures);
  }
  maybe_print_progress();
}

void Report::print_failure(const Run& run) const {
  std::printf("seed %llu, at %.3f s: %s: %s\n  replay: %s\n",
              static_cast<unsigned long long>(run.figures.seed), as_seconds(run.figures.time),
              std::string(name(run.violation->checker)).c_str(), run.violation->what.c_str(),
              replay_command(simulator_, run.figures.seed, canary_).c_str());
  std::fflush(stdout);
}

void Report::maybe_print_progress() {
  if (Clock::now() - told_ < std::chrono::seconds(expected_ == 0 ? 60 : 5)) return;
  told_ = Clock::now();
  const std::string of = expected_ == 0 ? "" : " of " + std::to_string(expected_);
  std::fprintf(stderr, "%6.1f s: %llu%s seeds, %.2f h of simulated time, %llu failed\n", seconds(),
               static_cast<unsigned long long>(runs_), of.c_str(), as_seconds(time_) / 3'600,
               static_cast<unsigned long long>(failures_));
}

void Report::print() const {
  if (runs_ == 0) {
    std::printf("FAILED: no seed was run\n");
    return;
  }
  const double simulated = as_seconds(time_);
  std::printf("seeds %llu to %llu: %.1f s, %.2f h of simulated time, %.0f times real time\n",
              static_cast<unsigned long long>(seeds_.least),
              static_cast<unsigned long long>(seeds_.most), seconds(), simulated / 3'600,
              simulated / seconds());
  if (runs_ > failures_) summary_->print();
  for (const auto& [checker, seeds] : caught_) {
    std::printf("caught by %s: %zu seeds:%s\n", checker.c_str(), seeds.size(),
                lowest(seeds).c_str());
  }
  std::printf("%s: %llu of %llu seeds failed\n", failures_ == 0 ? "PASSED" : "FAILED",
              static_cast<unsigned long long>(failures_), static_cast<unsigned long long>(runs_));
}

}  // namespace assent::simulation
