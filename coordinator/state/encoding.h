// How the parts of commands and of the state are written as bytes. Private to this folder.
#pragma once

#include "base/codec.h"
#include "base/error.h"
#include "base/ids.h"
#include "coordinator/state/command.h"

namespace assent::state {

void put(Encoder& out, const TransactionId& id);
void put(Encoder& out, const Ballot& ballot);
void put(Encoder& out, const DatabaseIdentity& identity);
void put(Encoder& out, const DecidedBranch& branch);
void put(Encoder& out, const std::vector<DecidedBranch>& branches);
void put(Encoder& out, const Error& error);

}  // namespace assent::state
