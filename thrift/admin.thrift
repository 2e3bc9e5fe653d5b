/** What administrators ask of any process, on its admin port. */
include "common.thrift"
namespace cpp assent.wire
namespace py assent_wire.admin

struct ProcessStatusRequest {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
}

struct ProcessStatusReply {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  /** "assent-coordinator" or "assent-agent". */
  2: string program
  /** Version of the program, for example "0.1.0". */
  3: string version
  /** Operating system's process id. */
  4: i32 pid
  /** Since the process began. */
  5: i64 uptime_ms
  /** True when it serves all that it is for. */
  6: bool ready
  /** Facts in words, for example "cluster", "ballot", "epoch". */
  7: map<string, string> facts
  /** Counts since the process began and gauges of this moment; docs/architecture.md names them. */
  8: map<string, i64> counters
}

struct DoctorRequest {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
}

enum Verdict {
  /** As it should be. */
  GOOD = 1,
  /** It works, but something is promised less than people expect, or will soon be short. */
  WARNING = 2,
  /** It cannot serve before this is mended. */
  FAILURE = 3,
}

/** One thing that was looked at. */
struct Finding {
  /** A short, stable name, for example "max_prepared_transactions". */
  1: string check
  /** How it is. */
  2: Verdict verdict
  /** What was found, in one sentence. */
  3: string found
  /** What to do; present unless GOOD. */
  4: optional string remedy
}

struct DoctorReply {
  /** The version of this message: PROTOCOL_VERSION. Another one is answered UNSUPPORTED_VERSION. */
  1: i32 protocol_version
  /** Every check, in the order in which it was made; later ones are left out when an earlier FAILURE makes them impossible. */
  2: list<Finding> findings
}

/** Admin port of every process. */
service Admin {
  /** How this process is. */
  ProcessStatusReply process_status(1: ProcessStatusRequest request) throws (1: common.AssentError error)
  /** Looks at all that this process needs from its surroundings, now. */
  DoctorReply doctor(1: DoctorRequest request) throws (1: common.AssentError error)
}
