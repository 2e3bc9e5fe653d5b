// How the model recognises SQL: by patterns over the text with its white space made even.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/statement.h"

namespace assent::model {

// One space wherever there was white space, none at the ends or before a final semicolon.
std::string normalised(std::string_view sql);

// What a "?" stands for: a value, or the parameter of this number, counted from 0.
using Found = std::variant<Value, std::size_t>;

// Matches normalised SQL, without regard to case, against a pattern in which "?" stands for one
// value ('text', a number, NULL, $n or a bare word) and "%" for anything. The values found, in
// order. There are so many parameters.
std::optional<std::vector<Found>> match(std::string_view pattern, std::string_view sql,
                                        std::size_t parameters);

std::vector<Value> values_of(const std::vector<Found>& found, const std::vector<Value>& parameters);

// Whole numbers in PostgreSQL's text form.
std::optional<std::int64_t> to_number(std::string_view text);

// The members of an array in PostgreSQL's text form: "{1,2}".
std::vector<std::string> array_members(std::string_view array);

std::string lower(std::string_view text);

}  // namespace assent::model
