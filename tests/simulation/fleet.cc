#include "tests/simulation/fleet.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

#include "base/check.h"
#include "tests/simulation/canaries.h"

namespace assent::simulation {
namespace {

// What a worker writes for each run; the text of a violation follows.
struct Header {
  Figures figures;
  bool violated = false;
  Checker checker{};
  std::uint64_t text_length = 0;
};
static_assert(std::is_trivially_copyable_v<Header>);

struct Worker {
  pid_t pid = 0;
  int pipe = -1;           // its end to read from; -1: it has ended
  std::uint64_t next = 0;  // the seed that it is at
};

void write_all(int fd, const void* bytes, std::size_t count) {
  const char* at = static_cast<const char*>(bytes);
  while (count > 0) {
    const ssize_t written = ::write(fd, at, count);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) ::_exit(3);  // nobody listens any more
    at += written;
    count -= static_cast<std::size_t>(written);
  }
}

// False: the worker has ended.
bool read_all(int fd, void* bytes, std::size_t count) {
  char* at = static_cast<char*>(bytes);
  while (count > 0) {
    const ssize_t got = ::read(fd, at, count);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    at += got;
    count -= static_cast<std::size_t>(got);
  }
  return true;
}

bool is_over(const Fleet& fleet) {
  return fleet.until && *fleet.until <= std::chrono::steady_clock::now();
}

[[noreturn]] void work(int pipe, const Fleet& fleet, std::uint64_t first) {
  active_canary() = fleet.canary;
  for (std::uint64_t seed = first; seed <= fleet.seeds.last && !is_over(fleet);
       seed += fleet.processes) {
    const Run run = fleet.run_seed(seed);
    Header header{run.figures, run.violation.has_value(), {}, 0};
    if (run.violation) {
      header.checker = run.violation->checker;
      header.text_length = run.violation->what.size();
    }
    write_all(pipe, &header, sizeof header);
    if (run.violation) write_all(pipe, run.violation->what.data(), header.text_length);
  }
  ::_exit(0);
}

Worker start(const Fleet& fleet, std::uint64_t first) {
  int ends[2];
  CHECK(::pipe(ends) == 0, "a pipe to a worker");
  const pid_t pid = ::fork();
  CHECK(pid >= 0, "a worker process");
  if (pid == 0) {
    ::close(ends[0]);
    work(ends[1], fleet, first);
  }
  ::close(ends[1]);
  return {pid, ends[0], first};
}

// Takes a run from a worker; none when it has ended.
std::optional<Run> take(const Worker& worker) {
  Header header;
  if (!read_all(worker.pipe, &header, sizeof header)) return std::nullopt;
  Run run{header.figures, std::nullopt};
  if (!header.violated) return run;
  std::string text(header.text_length, ' ');
  if (!read_all(worker.pipe, text.data(), text.size())) return std::nullopt;
  run.violation = Violation{header.checker, std::move(text)};
  return run;
}

std::string how_it_ended(int status) {
  if (WIFSIGNALED(status)) return std::string("its process died: ") + ::strsignal(WTERMSIG(status));
  return "its process ended with exit code " + std::to_string(WEXITSTATUS(status));
}

// A worker that died had a seed at work; another goes on behind it.
void worker_ended(Worker& worker, const Fleet& fleet,
                  const std::function<void(const Run&)>& on_run) {
  int status = 0;
  ::close(worker.pipe);
  worker.pipe = -1;
  ::waitpid(worker.pid, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
  Run run;
  run.figures.seed = worker.next;
  run.violation = Violation{Checker::kProcess, how_it_ended(status)};
  on_run(run);
  const std::uint64_t next = worker.next + fleet.processes;
  if (next <= fleet.seeds.last) worker = start(fleet, next);
}

}  // namespace

void run_fleet(const Fleet& fleet, const std::function<void(const Run&)>& on_run) {
  std::vector<Worker> workers;
  for (unsigned i = 0; i < fleet.processes && i < fleet.seeds.count(); ++i) {
    workers.push_back(start(fleet, fleet.seeds.first + i));
  }
  for (;;) {
    std::vector<pollfd> polled;
    for (const Worker& worker : workers) polled.push_back({worker.pipe, POLLIN, 0});
    std::erase_if(polled, [](const pollfd& one) { return one.fd < 0; });
    if (polled.empty()) return;
    if (::poll(polled.data(), polled.size(), -1) < 0) continue;
    for (Worker& worker : workers) {
      const bool speaks = std::any_of(polled.begin(), polled.end(), [&](const pollfd& one) {
        return one.fd == worker.pipe && one.revents != 0;
      });
      if (!speaks) continue;
      if (const auto run = take(worker)) {
        worker.next += fleet.processes;
        on_run(*run);
      } else {
        worker_ended(worker, fleet, on_run);
      }
    }
  }
}

}  // namespace assent::simulation
