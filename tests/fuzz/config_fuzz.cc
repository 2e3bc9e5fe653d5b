// Configuration files of both programs.
#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"
#include "base/ids.h"
#include "coordinator/server/config.h"
#include "participant/server/config.h"
#include "tests/fuzz/target.h"

namespace assent::fuzz {

std::vector<std::string> corpus() {
  const std::string agent =
      "cluster = \"prod\"\nparticipant = \"orders\"\ncoordinators = [\"127.0.0.1:7201\", \"h:1\"]\n"
      "[listen]\nclient = \"127.0.0.1:7401\"\npeer = \"127.0.0.1:7501\"\n"
      "[postgres]\nsocket = \"/run/postgresql\"\nport = 5432\ndatabase = \"orders\"\n"
      "work_connections = 64\nlock_timeout_ms = 5_000\nresult_max_bytes = 0x800000\n"
      "[commit]\none_phase = false\n[heartbeat]\nevery_ms = 400\n[log]\nlevel = \"info\"\n";
  const std::string coordinator =
      "cluster = \"prod\"\nreplica = 1\ndata_directory = \"/var/lib/assent\"\n[listen]\npeer = "
      "\"[::1]:1\"\n"
      "[outcomes]\nretention_ms = 600000\n[log]\nlevel = \"debug\"\n";
  std::string no_port = agent;
  no_port.replace(no_port.find("5432"), 4, "0");
  std::string no_pool = agent;
  no_pool.replace(no_pool.find("64"), 2, "0");
  return {agent,
          no_port,
          no_pool,
          coordinator,
          "# comment\r\ncluster = '''\nmany\nlines'''\n",
          "postgres = { port = 1, socket = \"\", deep = { deeper = [[1], [2.5, nan]] } }",
          "a.b.\"c d\".e = 1979-05-27T07:32:00Z\n[[tables]]\n[[tables]]\nx = inf",
          "cluster = \"\\u00e9\\U0001F600\\x\"",
          "port = 9223372036854775808",
          std::string("nul = \"a\0b\"", 11),
          "\xEF\xBB\xBF"
          "cluster = \"bom\"",
          std::string(300, '[')};
}

namespace {

// A path under which the text can be read.
class TextFile {
 public:
  TextFile() : file_(memfd_create("configuration", 0)) {
    CHECK(file_ >= 0, "a file in memory can be made");
    path_ = "/proc/self/fd/" + std::to_string(file_);
  }
  ~TextFile() { close(file_); }
  TextFile(const TextFile&) = delete;
  TextFile& operator=(const TextFile&) = delete;

  const std::string& hold(std::string_view text) {
    CHECK(ftruncate(file_, 0) == 0, "it can be emptied");
    CHECK(pwrite(file_, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()),
          "it can be written");
    return path_;
  }

 private:
  int file_;
  std::string path_;
};

void check_error(const Error& why, const std::string& path) {
  CHECK(why.code == ErrorCode::kInvalidArgument, why.message);
  CHECK(why.message.find(path) != std::string::npos, "the file is named: " + why.message);
}

}  // namespace
}  // namespace assent::fuzz

// Every file is either refused with a sentence that names it, or gives a configuration that is
// within its bounds.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace assent;
  static fuzz::TextFile file;
  const std::string& path = file.hold(fuzz::as_text(data, size));
  const auto agent = participant::load_config(path);
  if (agent) {
    CHECK(valid_cluster_name(agent->cluster), agent->cluster);
    CHECK(valid_participant_name(agent->participant), agent->participant);
    CHECK(agent->database.port > 0, "a port is not 0");
    CHECK(agent->database.work_connections > 0, "a pool has connections");
    CHECK(!agent->coordinators.empty(), "an agent knows a coordinator");
  } else {
    fuzz::check_error(agent.error(), path);
  }
  const auto coordinator = coordinator::load_config(path);
  if (coordinator) {
    CHECK(valid_cluster_name(coordinator->cluster), coordinator->cluster);
    CHECK(!coordinator->data_directory.empty(), "a coordinator has a directory");
  } else {
    fuzz::check_error(coordinator.error(), path);
  }
  return 0;
}
