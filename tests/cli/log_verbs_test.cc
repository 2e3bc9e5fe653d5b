// assentctl log dump and log verify, over directories that a real log wrote.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "coordinator/state/command.h"
#include "tests/cli/assentctl.h"
#include "tests/coordinator/storage/replica_log_fixture.h"

namespace assent::cli {
namespace {

using nlohmann::json;
using storage::accepted;
using storage::chosen;
using storage::contents;
using storage::promised;
using storage::read_file;
using storage::write_file;

std::vector<json> lines_of(const Answer& answer) {
  std::vector<json> all;
  std::istringstream in(answer.out);
  for (std::string line; std::getline(in, line);) all.push_back(json::parse(line));
  return all;
}

const TransactionId kTransaction = make_transaction_id(LogTime(1'700'000'000'123), 1, 2, 3);

std::string entry() {
  state::Enrolled enrolled;
  enrolled.participant = "stock";
  return encode(state::Entry{
      LogTime(1'700'000'000'123),
      {state::OfficeTaken{storage::ballot(2)},
       state::Committed{kTransaction,
                        7,
                        {{.participant = "orders",
                          .epoch = Epoch(3),
                          .attempt = Attempt(1),
                          .evidence = {.xid = 778, .system_identifier = 5, .timeline = 1}}}},
       state::Aborted{kTransaction, 0, {ErrorCode::kDeadline, "too \xff late"}, {}},
       state::Forgotten{{kTransaction}}, enrolled}});
}

class LogVerbs : public storage::ReplicaLogFixture {
 protected:
  // Three segments' worth of records, in batches of their own, and a snapshot.
  void write_some() {
    open();
    append_batch({promised(2), accepted(1, 2, entry())});
    append_batch({chosen(1), accepted(2, 2, "")});
    for (std::uint64_t slot = 3; slot < 40; ++slot) {
      append_batch({chosen(slot - 1), accepted(slot, 2, entry())});
    }
    ASSERT_TRUE(snapshot(38, {"one", "second"}).has_value());
    append_batch({promised(3)});
    ASSERT_GE(segments().size(), 3u);
  }
  void append_batch(const std::vector<paxos::Record>& records) {
    append(records);
    ASSERT_TRUE(all_persisted());
  }
  [[nodiscard]] std::vector<std::string> segments() const {
    std::vector<std::string> names;
    for (const auto& [name, bytes] : contents(directory_.path())) {
      if (name.ends_with(".wal")) names.push_back(name);
    }
    return names;
  }
  void flip(const std::string& name, std::size_t offset) const {
    std::string bytes = read_file(directory_.file(name));
    bytes.at(offset) ^= 0x10;
    write_file(directory_.file(name), bytes);
  }
  [[nodiscard]] Answer dump() const { return assentctl({"log", "dump", directory_.path()}); }
  [[nodiscard]] Answer verify() const { return assentctl({"log", "verify", directory_.path()}); }
  [[nodiscard]] json verify_json() const {
    const Answer answer = assentctl({"log", "verify", directory_.path(), "--json"});
    return json::parse(answer.out);
  }
  // Offset of the n-th record of the file, from what the dump says of it.
  [[nodiscard]] std::size_t offset_of(const std::string& name, std::size_t n) const {
    for (const json& line : lines_of(assentctl({"--json", "log", "dump", directory_.path()}))) {
      if (line["what"] != "record" || line["file"] != name) continue;
      if (n-- == 0) return line["offset"].get<std::size_t>();
    }
    ADD_FAILURE() << name << " has no such record";
    return 0;
  }
};

// ── the command line ────────────────────────────────────────────────────────────────────────────

TEST(CommandLine, SaysItsVersionAndHowItIsUsed) {
  EXPECT_EQ(assentctl({"--version"}).exit_code, kExitGood);
  EXPECT_THAT(assentctl({"--version"}).out, ::testing::HasSubstr("assentctl 0."));
  const Answer help = assentctl({"log", "verify", "--help"});
  EXPECT_EQ(help.exit_code, kExitGood);
  EXPECT_THAT(help.out, ::testing::HasSubstr("directory"));
}

TEST(CommandLine, RefusesWhatItCannotDo) {
  EXPECT_EQ(assentctl({}).exit_code, kExitUsage);
  EXPECT_EQ(assentctl({"log"}).exit_code, kExitUsage);
  EXPECT_EQ(assentctl({"log", "dump"}).exit_code, kExitUsage);
  EXPECT_EQ(assentctl({"log", "burn", "/tmp"}).exit_code, kExitUsage);
}

TEST(CommandLine, RefusesADirectoryThatIsNone) {
  const Answer words = assentctl({"log", "verify", "/nowhere/at/all"});
  EXPECT_EQ(words.exit_code, kExitUsage);
  EXPECT_THAT(words.err, ::testing::HasSubstr("/nowhere/at/all is no directory"));
  const Answer machine = assentctl({"log", "dump", "--json", "/nowhere/at/all"});
  EXPECT_EQ(machine.exit_code, kExitUsage);
  EXPECT_EQ(json::parse(machine.out)["error"]["code"], "INVALID_ARGUMENT");
}

// ── dump ────────────────────────────────────────────────────────────────────────────────────────

TEST_F(LogVerbs, DumpTellsEveryRecord) {
  write_some();
  close();
  const Answer answer = assentctl({"log", "dump", directory_.path(), "--json"});
  EXPECT_EQ(answer.exit_code, kExitGood) << answer.out;
  std::map<std::string, int> kinds;
  std::uint64_t next = 1;
  for (const json& line : lines_of(answer)) {
    if (line["what"] != "record") continue;
    EXPECT_EQ(line["sequence"], next++);
    ++kinds[line["kind"]];
  }
  EXPECT_EQ(next - 1, written_.size());
  EXPECT_EQ(kinds["promised"], 2);
  EXPECT_EQ(kinds["accepted"], 39);
  EXPECT_EQ(kinds["chosen_mark"], 38);
}

TEST_F(LogVerbs, DumpReadsEntriesAndNoOps) {
  write_some();
  close();
  const std::vector<json> lines = lines_of(assentctl({"log", "dump", directory_.path(), "--json"}));
  EXPECT_EQ(lines[0]["what"], "identity");
  EXPECT_EQ(lines[0]["cluster"], "demo");
  EXPECT_EQ(lines[1]["what"], "snapshot");
  EXPECT_EQ(lines[1]["through"], 38);
  EXPECT_EQ(lines[1]["chunks"].size(), 2u);
  EXPECT_EQ(lines[2]["what"], "segment");
  const json& first = lines[4];
  EXPECT_EQ(first["slot"], 1);
  EXPECT_EQ(first["ballot"], "1.2.1");
  ASSERT_EQ(first["commands"].size(), 5u);
  EXPECT_EQ(first["commands"][1]["transaction"], to_string(kTransaction));
  EXPECT_EQ(first["commands"][1]["branches"][0]["xid"], 778);
  EXPECT_EQ(lines[6]["noop"], true);
  EXPECT_EQ(lines.back()["what"], "end");
  EXPECT_EQ(lines.back()["chosen_mark"], 38);
  EXPECT_EQ(lines.back()["highest_ballot"], "1.3.1");
}

TEST_F(LogVerbs, DumpIsReadByPeople) {
  write_some();
  close();
  const Answer answer = dump();
  EXPECT_EQ(answer.exit_code, kExitGood);
  for (const char* const expected :
       {"replica 1 of cluster demo", "state after slot 38", "chunk 2", "promised    ballot 1.2.1",
        "accepted    slot 1, ballot 1.2.1: 2023-11-14T22:13:20.123Z", "OfficeTaken 1.2.1",
        "orders:3.1 xid 778", "DEADLINE", "Enrolled stock", "slot 2, ballot 1.2.1: no-op",
        "chosen mark slot 38"}) {
    EXPECT_THAT(answer.out, ::testing::HasSubstr(expected));
  }
}

// ── verify ──────────────────────────────────────────────────────────────────────────────────────

TEST_F(LogVerbs, AnIntactDirectoryIsGoodWhetherItsReplicaRunsOrNot) {
  write_some();
  const auto before = contents(directory_.path());
  EXPECT_EQ(verify().exit_code, kExitGood) << verify().out;
  EXPECT_EQ(contents(directory_.path()), before);
  close();
  EXPECT_EQ(verify().exit_code, kExitGood) << verify().out;
  EXPECT_EQ(verify_json()["records"], written_.size());
}

TEST_F(LogVerbs, ATornTailIsHarmless) {
  write_some();
  close();
  const std::string last = segments().back();
  std::string bytes = read_file(directory_.file(last));
  const std::size_t end = bytes.find_last_not_of('\0') + 8;
  bytes.replace((end + 7) / 8 * 8, 13, "half a record");
  write_file(directory_.file(last), bytes);
  const Answer answer = verify();
  EXPECT_EQ(answer.exit_code, kExitGood);
  EXPECT_THAT(answer.out, ::testing::HasSubstr("torn tail"));
  EXPECT_THAT(answer.out, ::testing::HasSubstr("harmless"));
  EXPECT_GE(verify_json()["torn_bytes"], 13);
}

TEST_F(LogVerbs, CorruptionIsToldWithFileOffsetAndWhatToDo) {
  write_some();
  close();
  const std::string name = segments()[1];
  const std::size_t offset = offset_of(name, 1);
  flip(name, offset + storage::kRecordHeaderBytes);
  const Answer answer = verify();
  EXPECT_EQ(answer.exit_code, kExitProblem);
  EXPECT_THAT(answer.out, ::testing::HasSubstr("Corrupted: " +
                                               storage::at_offset(directory_.file(name), offset)));
  EXPECT_THAT(answer.out, ::testing::HasSubstr("replace this replica"));
  const json told = verify_json();
  ASSERT_EQ(told["problems"].size(), 1u);
  EXPECT_EQ(told["problems"][0]["offset"], offset);
  EXPECT_EQ(told["records"], written_.size() - 1) << "it reads on behind the damage";
  EXPECT_EQ(dump().exit_code, kExitProblem);
}

// A record behind it says that the others have made it good; and its marks go on below older ones.
TEST_F(LogVerbs, DamageThatIsRepairedIsNoProblem) {
  open();
  append_batch({promised(2), accepted(1, 2, entry())});
  append_batch({chosen(1), accepted(2, 2, entry())});
  append_batch({chosen(2), accepted(3, 2, entry())});
  append_batch({chosen(3), accepted(4, 2, entry())});
  close();
  const std::string name = segments().front();
  flip(name, offset_of(name, 4) + storage::kRecordHeaderBytes);
  EXPECT_THAT(verify_json()["problems"], ::testing::SizeIs(1));
  log_ = std::make_unique<storage::ReplicaLog>(options());
  persisted_.clear();
  appended_ = 0;
  const auto opened =
      log_->open([](const paxos::Record&) {},
                 [this](paxos::RecordIndex through) { persisted_.push_back(through.value); },
                 [](std::string_view) { return Result<void>(); },
                 [](const storage::LogDamage&) { return Result<void>(); });
  ASSERT_TRUE(opened.has_value()) << opened.error().message;
  append_batch({accepted(2, 3, entry())});
  append_batch({chosen(2), accepted(3, 3, entry())});
  append_batch({accepted(4, 3, entry())});
  append_batch({paxos::Repaired{Slot(4)}});
  append_batch({accepted(5, 3, entry())});
  close();

  const json told = verify_json();
  EXPECT_EQ(told["good"], true);
  EXPECT_THAT(told["problems"], ::testing::IsEmpty());
  ASSERT_THAT(told["repaired"], ::testing::SizeIs(1));
  EXPECT_THAT(told["repaired"][0]["remedy"], ::testing::HasSubstr("The others have repaired it"));
  EXPECT_EQ(verify().exit_code, 0);
  EXPECT_THAT(verify().out, ::testing::HasSubstr("good: what is damaged is repaired"));
  EXPECT_EQ(dump().exit_code, 0);
  EXPECT_THAT(dump().out, ::testing::HasSubstr("repaired    slot 4, of records 5"));
  for (const json& line : lines_of(assentctl({"--json", "log", "dump", directory_.path()}))) {
    if (line["what"] != "record" || line["kind"] != "repaired") continue;
    EXPECT_EQ(line["through"], 4);
    EXPECT_EQ(line["lost"], (json::array({{{"first", 5}, {"next", 6}}})));
    flip(line["file"], line["offset"].get<std::size_t>() + storage::kRecordHeaderBytes);
  }
  EXPECT_THAT(verify_json()["problems"], ::testing::SizeIs(2)) << "the record that said so is gone";
}

TEST_F(LogVerbs, ADamagedHeaderHidesItsSegmentOnly) {
  write_some();
  close();
  flip(segments()[1], 20);
  const json told = verify_json();
  ASSERT_EQ(told["problems"].size(), 1u);
  EXPECT_THAT(told["problems"][0]["sentence"].get<std::string>(),
              ::testing::HasSubstr("segment header of " + directory_.file(segments()[1])));
  EXPECT_EQ(told["highest_ballot"], "1.3.1");
}

TEST_F(LogVerbs, AMissingSegmentIsNamed) {
  write_some();
  close();
  const std::vector<std::string> names = segments();
  ASSERT_EQ(::unlink(directory_.file(names[1]).c_str()), 0);
  const json told = verify_json();
  ASSERT_EQ(told["problems"].size(), 1u);
  EXPECT_EQ(told["problems"][0]["file"], directory_.file(names[0])) << told;
}

TEST_F(LogVerbs, ADamagedSnapshotAndAForeignIdentityAreProblems) {
  write_some();
  close();
  flip(storage::snapshot_name(Slot(38)), 150);
  flip("identity", 90);
  const json told = verify_json();
  EXPECT_EQ(told["good"], false);
  ASSERT_EQ(told["problems"].size(), 1u) << "without an identity a snapshot is not read: " << told;
  flip("identity", 90);
  const json again = verify_json();
  ASSERT_EQ(again["problems"].size(), 1u);
  EXPECT_THAT(again["problems"][0]["sentence"].get<std::string>(),
              ::testing::HasSubstr("snapshot-00000000000000000038"));
}

TEST_F(LogVerbs, AnEntryThatCannotBeReadIsAProblem) {
  open();
  append_batch({accepted(1, 2, "no entry")});
  close();
  EXPECT_EQ(verify().exit_code, kExitProblem);
  EXPECT_THAT(verify().out, ::testing::HasSubstr("log entry has format"));
}

TEST_F(LogVerbs, AnEmptyDirectoryIsNoReplicas) {
  const Answer answer = verify();
  EXPECT_EQ(answer.exit_code, kExitProblem);
  EXPECT_THAT(answer.out, ::testing::HasSubstr("identity is missing"));
}

// A whole directory under a replica that writes all the time: never a false alarm.
TEST_F(LogVerbs, AReplicaThatWritesIsNeverSuspected) {
  open();
  append_batch({promised(2)});
  for (std::uint64_t slot = 1; slot < 300; ++slot) {
    append({accepted(slot, 2, std::string(100, '\0'))});
    if (slot % 10 != 0) continue;
    const json told = verify_json();
    for (const json& problem : told["problems"]) {
      EXPECT_THAT(problem["sentence"].get<std::string>(), ::testing::HasSubstr("log entry"));
    }
  }
  ASSERT_TRUE(all_persisted());
}

}  // namespace
}  // namespace assent::cli
