// What the parties of the whole system say to each other, in words, for traces.
#pragma once

#include <string>

#include "base/error.h"
#include "base/statement.h"
#include "coordinator/commit/office.h"

namespace assent::simulation::system {

std::string words(const Error& error);
std::string words(const Statement& statement);
std::string words(const commit::SendPrepare& prepare);
std::string words(const commit::SendFinish& finish);
std::string words(const commit::Vote& vote);
std::string words(const commit::CommitAnswer& answer);
std::string words(FinishResult result);

// The words of what was asked for, or of the error instead.
template <class T>
std::string words(const Result<T>& result) {
  return result ? words(*result) : words(result.error());
}

}  // namespace assent::simulation::system
