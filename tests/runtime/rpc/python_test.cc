// Any Thrift client can talk to the server: here the one of Debian's python3-thrift.
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>

#include <thread>

#include "harness.h"

namespace assent::rpc {
namespace {

// Exit code of /usr/bin/python3 with `arguments`, which gets the generated wire on its path.
int run_python(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"/usr/bin/python3", "-B"});
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  std::string path = std::string("PYTHONPATH=") + PYTHON_WIRE;
  char* environment[] = {path.data(), nullptr};
  pid_t child = 0;
  if (posix_spawn(&child, argv[0], nullptr, nullptr, argv.data(), environment) != 0) return -1;
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(Python, CallsAndCatchesTheDeclaredExceptionInBothProtocols) {
  asio::io_context loop{1};
  TestServer server(loop);
  std::thread serving([&loop] { loop.run(); });

  const int exit_code = run_python({PYTHON_CLIENT, std::to_string(server.port)});

  loop.stop();
  serving.join();
  EXPECT_EQ(exit_code, 0);
}

}  // namespace
}  // namespace assent::rpc
