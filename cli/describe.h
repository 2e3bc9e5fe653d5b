// What stands in a log, in words for people and as JSON for machines.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/time.h"
#include "coordinator/state/command.h"
#include "coordinator/storage/inspection.h"

namespace assent::cli {

// "2026-01-31T12:00:00.123Z"
std::string utc(LogTime time);

std::string words(const state::Command& command);
nlohmann::json as_json(const state::Command& command);

// The payload of a record, in words: "accepted slot 7, ballot 1.2.3: …".
// An error: the payload, or the entry in it, is not as this version writes it.
Result<std::string> words(const storage::InspectedRecord& record);
// Its members are those of the record's kind; the error stands in `damaged`, if there is one.
nlohmann::json as_json(const storage::InspectedRecord& record);

// One line, whatever bytes the strings hold.
std::string one_line(const nlohmann::json& json);

}  // namespace assent::cli
