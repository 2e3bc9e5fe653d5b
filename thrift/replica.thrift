/** What replicas say to each other, and everything a replica answers on its peer port. */
include "common.thrift"
include "participant.thrift"
namespace cpp assent.wire
namespace py assent_wire.replica

struct IdentifyRequest {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  /** Cluster that the caller belongs to; another one is answered WRONG_CLUSTER. */
  2: string cluster
}

struct IdentifyReply {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  /** Replica at this address; from 1. */
  2: i32 replica
  /** Highest ballot that this replica knows. */
  3: common.Ballot ballot
  /** True when it holds that ballot and serves. */
  4: bool leader
}

/** Peer port of a replica: agents use what is inherited. */
service Replica extends participant.Registry {
  /** Who is at this address, and is it the leader. */
  IdentifyReply identify(1: IdentifyRequest request) throws (1: common.AssentError error)
}
