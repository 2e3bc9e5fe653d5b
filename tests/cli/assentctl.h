// assentctl, run as a function: its exit code and what it printed.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cli/program.h"

namespace assent::cli {

struct Answer {
  int exit_code = -1;
  std::string out;
  std::string err;
};

inline Answer assentctl(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "assentctl");
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  Answer answer;
  answer.exit_code = run(static_cast<int>(argv.size()), argv.data());
  answer.out = ::testing::internal::GetCapturedStdout();
  answer.err = ::testing::internal::GetCapturedStderr();
  return answer;
}

}  // namespace assent::cli
