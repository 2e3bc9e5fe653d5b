// What a replica shows operators of participants and transactions.
#pragma once

#include "base/error.h"
#include "coordinator/server/replica.h"
#include "wire/insight_types.h"

namespace assent::coordinator {

// Both: kNotLeader, unless this replica leads or any may answer.
Result<wire::ParticipantsReply> participants(const Services& services,
                                             const wire::ParticipantsRequest& request);
// kInvalidArgument names what is wrong with the request.
Result<wire::TransactionsReply> transactions(const Services& services,
                                             const wire::TransactionsRequest& request);

}  // namespace assent::coordinator
