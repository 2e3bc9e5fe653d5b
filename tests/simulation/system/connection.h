// The production shell's connections, to a model of a server.
#pragma once

#include "participant/postgres/connection.h"
#include "tests/simulation/dice.h"
#include "tests/simulation/postgres/server.h"
#include "tests/simulation/scheduler.h"

namespace assent::simulation::system {

// Opens connections from processes whose loops are of process.h. Who looks up the server gets the
// one that answers at the database's address now; null: none does.
postgres::Connect connect_to(std::function<model::Server*()> server, Scheduler& scheduler,
                             Dice& dice);

}  // namespace assent::simulation::system
