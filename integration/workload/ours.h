// The same transfers by Assent's client library.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "assent/client.h"
#include "integration/workload/mover.h"

namespace assent::workload {

struct OursOptions {
  std::vector<std::string> participants;  // one name for each database
  bool one_shot = false;                  // the statements travel with the commit
  CommitOptions commit;
};

// Precondition: `client` outlives it.
std::unique_ptr<Mover> make_ours(Client& client, const OursOptions& options);

}  // namespace assent::workload
