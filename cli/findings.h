// What a process found when it examined itself or its database, for people and for programs.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "cli/table.h"
#include "wire/admin_types.h"

namespace assent::cli {

const char* word(wire::Verdict::type verdict);
Tone tone_of(wire::Verdict::type verdict);
nlohmann::json as_json(const wire::Finding& finding);

}  // namespace assent::cli
