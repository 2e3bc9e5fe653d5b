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

}  // namespace assent::cli
