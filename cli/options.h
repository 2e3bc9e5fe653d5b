// Options that several verbs take.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace assent::cli {

// An address that can be connected to.
const CLI::Validator& reachable_address();

// --at: admin ports of replicas, at least one.
void add_at(CLI::App& command, std::vector<std::string>& at);

// --operator, by default the login name.
void add_operator(CLI::App& command, std::string& operator_name);

}  // namespace assent::cli
