// assentctl as a function, for main() and for tests.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "base/error.h"
#include "cli/verb.h"

namespace assent::cli {

// Exit codes, of every verb.
inline constexpr int kExitGood = 0;
inline constexpr int kExitProblem = 1;  // it looked, and something is wrong
inline constexpr int kExitUsage = 2;    // it was asked for what it cannot do

// Parses the command line, runs the verb, and answers the exit code.
int run(int argc, char** argv);

// One object on one line of standard output, whatever bytes its strings hold.
void print_json(const nlohmann::json& told);

// Says why a verb cannot do what it was asked for; answers kExitUsage. In JSON it goes to standard
// output, as all that a machine is to read.
int refuse(const Settings& settings, const Error& error);

// The same of what may also be wrong with the cluster; answers the exit code that fits the error.
int fail(const Settings& settings, const Error& error);

}  // namespace assent::cli
