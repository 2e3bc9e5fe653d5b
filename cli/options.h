// Options that several verbs take.
#pragma once

#include <CLI/CLI.hpp>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"

namespace assent::cli {

// An address that can be connected to.
const CLI::Validator& reachable_address();

// --at: admin ports of replicas, at least one.
void add_at(CLI::App& command, std::vector<std::string>& at);

// --agent: NAME=HOST:PORT of an agent's admin port; several may be named.
void add_agents(CLI::App& command, std::map<std::string, std::string>& agents);

// A duration on the command line: "90", "90s", "5m", "2h"; none: it is none of these.
std::optional<Millis> parse_duration(const std::string& text);

// --operator, by default the login name.
void add_operator(CLI::App& command, std::string& operator_name);

}  // namespace assent::cli
