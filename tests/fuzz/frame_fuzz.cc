// Bytes of a connection: cut into frames, and each frame decoded as a call of every service.
#include <thrift/async/TAsyncProcessor.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>

#include "base/check.h"
#include "runtime/rpc/frame_buffer.h"
#include "runtime/rpc/protocol.h"
#include "runtime/rpc/server.h"
#include "tests/fuzz/target.h"
#include "wire/Admin.h"
#include "wire/Branches.h"
#include "wire/Coordinator.h"
#include "wire/Participant.h"
#include "wire/Registry.h"
#include "wire/Replica.h"

namespace {

// Memory taken and given back, and the most that was held at once.
std::size_t held = 0;
std::size_t held_max = 0;

constexpr std::size_t kHeader = alignof(std::max_align_t);

void* take(std::size_t size) {
  void* block = std::malloc(size + kHeader);
  if (block == nullptr) throw std::bad_alloc();
  *static_cast<std::size_t*>(block) = size;
  held += size;
  held_max = std::max(held_max, held);
  return static_cast<char*>(block) + kHeader;
}

void give_back(void* pointer) {
  if (pointer == nullptr) return;
  void* block = static_cast<char*>(pointer) - kHeader;
  held -= *static_cast<std::size_t*>(block);
  std::free(block);
}

}  // namespace

void* operator new(std::size_t size) {
  return take(size);
}
void operator delete(void* pointer) noexcept {
  give_back(pointer);
}
void operator delete(void* pointer, std::size_t) noexcept {
  give_back(pointer);
}

namespace assent::fuzz {
namespace {

using rpc::Encoding;
using Processors = std::vector<std::shared_ptr<apache::thrift::async::TAsyncProcessor>>;

constexpr std::uint32_t kFrameMax = 1u << 16;

template <class Processor, class Handler>
std::shared_ptr<Processor> answering_nothing() {
  return std::make_shared<Processor>(std::make_shared<Handler>());
}

const Processors& processors() {
  static const Processors all = {
      answering_nothing<wire::CoordinatorAsyncProcessor, wire::CoordinatorCobSvNull>(),
      answering_nothing<wire::BranchesAsyncProcessor, wire::BranchesCobSvNull>(),
      answering_nothing<wire::ParticipantAsyncProcessor, wire::ParticipantCobSvNull>(),
      answering_nothing<wire::RegistryAsyncProcessor, wire::RegistryCobSvNull>(),
      answering_nothing<wire::ReplicaAsyncProcessor, wire::ReplicaCobSvNull>(),
      answering_nothing<wire::AdminAsyncProcessor, wire::AdminCobSvNull>()};
  return all;
}

// ── well-formed calls ───────────────────────────────────────────────────────────────────────────

template <class Arguments>
std::string call(Encoding encoding, const char* method, const Arguments& arguments) {
  rpc::FrameOutput output(encoding, rpc::make_configuration(kFrameMax));
  output.protocol().writeMessageBegin(method, apache::thrift::protocol::T_CALL, 1);
  arguments.write(&output.protocol());
  output.protocol().writeMessageEnd();
  return std::string(output.frame());
}

wire::Statement statement() {
  wire::Value value;
  value.__set_text("seven");
  wire::Statement out;
  out.sql = "UPDATE accounts SET balance = balance - $1";
  out.parameters = {value, value};
  out.__set_expected_rows(1);
  return out;
}

wire::CommitRequest commit_request() {
  wire::CommitBranch branch;
  branch.participant = "orders";
  wire::OneShot one_shot;
  one_shot.statements = {statement(), statement()};
  branch.__set_one_shot(one_shot);
  wire::CommitRequest out;
  out.transaction = std::string(300, 't');
  out.branches = {branch, branch};
  return out;
}

std::vector<std::string> calls(Encoding encoding) {
  wire::Coordinator_commit_args commit;
  commit.request = commit_request();
  wire::Coordinator_hello_args hello;
  wire::Branches_execute_args execute;
  execute.request.statement = statement();
  wire::Participant_prepare_args prepare;
  wire::Registry_enroll_args enroll;
  return {call(encoding, "commit", commit), call(encoding, "hello", hello),
          call(encoding, "execute", execute), call(encoding, "prepare", prepare),
          call(encoding, "enroll", enroll)};
}

// ── judging ─────────────────────────────────────────────────────────────────────────────────────

// What a frame is, told once more: four bytes of length and as many bytes, none of them too long.
std::vector<std::string> frames_of(std::string_view stream) {
  std::vector<std::string> frames;
  while (stream.size() >= rpc::kFrameHeaderBytes) {
    std::size_t length = 0;
    for (std::size_t i = 0; i < rpc::kFrameHeaderBytes; ++i) {
      length = length * 256 + static_cast<unsigned char>(stream[i]);
    }
    stream.remove_prefix(rpc::kFrameHeaderBytes);
    if (length > kFrameMax || length > stream.size()) break;
    frames.emplace_back(stream.substr(0, length));
    stream.remove_prefix(length);
  }
  return frames;
}

// The frames of a stream that arrives in pieces of this size, until one claims too much.
std::vector<std::string> cut(std::string_view stream, std::size_t piece) {
  rpc::FrameBuffer buffer(kFrameMax);
  std::vector<std::string> frames;
  while (!stream.empty() && !buffer.oversized()) {
    buffer.append(stream.substr(0, piece));
    stream.remove_prefix(std::min(piece, stream.size()));
    while (const auto frame = buffer.next()) frames.emplace_back(*frame);
  }
  return frames;
}

// The server's limits and its way to decode; whatever is thrown there ends one connection.
void decode(std::string_view payload, const rpc::Configuration& configuration) {
  const auto encoding = rpc::detect_encoding(payload);
  if (!encoding || !rpc::is_call(payload, *encoding)) return;
  const rpc::ServerLimits limits;
  for (const auto& processor : processors()) {
    rpc::FrameInput input(payload, *encoding, {limits.string_bytes_max, limits.container_size_max},
                          configuration);
    rpc::FrameOutput output(*encoding, configuration);
    try {
      processor->process([](bool) {}, rpc::unowned(input.protocol()),
                         rpc::unowned(output.protocol()));
    } catch (const apache::thrift::TException&) {
      // Refused.
    }
  }
}

}  // namespace

std::vector<std::string> corpus() {
  std::vector<std::string> out = calls(Encoding::kBinary);
  for (std::string& frame : calls(Encoding::kCompact)) out.push_back(std::move(frame));
  out.push_back(out[0] + out[1] + out[5]);
  out.push_back(std::string("\0\0\0\0", 4) + out[0]);
  out.push_back(std::string("\xFF\xFF\xFF\xFF", 4) + out[0]);
  out.push_back("GET / HTTP/1.1\r\n\r\n");
  return out;
}

}  // namespace assent::fuzz

// 1. Frames are the same in whatever pieces the stream arrives.
// 2. A frame costs memory in proportion to its size, whatever it claims: a hundred or so bytes for
//    each of its own, when it is all elements of a list.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace assent;
  static const rpc::Configuration configuration = rpc::make_configuration(fuzz::kFrameMax);
  const std::string_view stream = fuzz::as_text(data, size);
  const std::vector<std::string> frames = fuzz::frames_of(stream);
  CHECK(fuzz::cut(stream, std::max<std::size_t>(size, 1)) == frames, "in one piece");
  CHECK(fuzz::cut(stream, 1 + size % 7) == frames, "in small pieces");
  fuzz::processors();
  for (const std::string& frame : frames) {
    const std::size_t before = held;
    held_max = held;
    fuzz::decode(frame, configuration);
    CHECK_LE(held_max - before, 65'536 + 512 * frame.size(), "a frame pays for its memory");
    CHECK_EQ(held, before, "nothing of a refused call is kept");
  }
  return 0;
}
