// A replica whose log holds a chosen entry that a newer version wrote.
#include <gmock/gmock.h>

#include <algorithm>
#include <boost/asio/post.hpp>

#include "base/overloaded.h"
#include "coordinator/state/formats.h"
#include "coordinator/storage/replica_log.h"
#include "tests/coordinator/server/replica_group.h"

namespace assent::coordinator {
namespace {

using ::testing::HasSubstr;

class VersionsGroup : public ReplicaGroupTest {
 protected:
  // As a newer version would, behind all that the replica's log holds. It does not run.
  void choose_newer_entry(std::size_t i) {
    storage::ReplicaLogOptions options{};
    options.cluster = "demo";
    options.replica = ReplicaId(static_cast<std::uint32_t>(i + 1));
    options.log.directory = data_directory(i);
    options.log.post = [this](std::function<void()> work) { boost::asio::post(loop_, work); };
    storage::ReplicaLog log(options);
    Slot last;
    Ballot ballot;
    bool durable = false;
    const auto opened = log.open(
        [&](const paxos::Record& record) {
          std::visit(Overloaded{
                         [&](const paxos::Accepted& accepted) {
                           last = std::max(last, accepted.slot);
                           ballot = accepted.ballot;
                         },
                         [&](const paxos::Promised& promised) { ballot = promised.ballot; },
                         [](const auto&) {},
                     },
                     record);
        },
        [&](paxos::RecordIndex through) { durable = through == paxos::RecordIndex(2); });
    ASSERT_TRUE(opened) << opened.error().message;
    std::string entry(17, '\0');
    entry[0] = static_cast<char>(state::kEntryFormat + 1);
    slot_ = last.next();
    log.append(
        {paxos::Accepted{slot_, ballot, paxos::make_value(entry)}, paxos::ChosenMark{slot_}});
    ASSERT_TRUE(run_until([&] { return durable; }));
  }

  Slot slot_;
};

TEST_F(VersionsGroup, DoesNotStartAndSaysWhatWouldRead) {
  const std::size_t serving = leader();
  const std::size_t downgraded = (serving + 1) % kReplicas;
  ASSERT_TRUE(abort(serving, make_id()));
  replicas_[downgraded].reset();
  choose_newer_entry(downgraded);

  const auto opened = try_start(downgraded);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::kUnsupportedVersion);
  EXPECT_THAT(opened.error().message, HasSubstr("slot " + to_string(slot_) + " is chosen"));
  EXPECT_THAT(opened.error().message, HasSubstr("run the version that wrote it, or newer"));
  replicas_[downgraded].reset();
  EXPECT_TRUE(abort(leader(), make_id())) << "the others go on";
}

}  // namespace
}  // namespace assent::coordinator
