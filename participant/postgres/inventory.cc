#include "participant/postgres/inventory.h"

#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/gid.h"
#include "participant/postgres/awaiting.h"
#include "runtime/logging.h"

namespace assent::postgres {
namespace {

using branch::PreparedBranch;

constexpr std::size_t kStrangersMax = 1'000;  // warned about once each

// The position is read behind the list, and a row is listed only when its PREPARE is flushed.
constexpr char kListPrepared[] =
    "SELECT gid, transaction, owner, pg_snapshot_xmax(pg_current_snapshot()),"
    " pg_current_wal_flush_lsn(),"
    " (extract(epoch FROM clock_timestamp() - prepared) * 1000)::bigint, age(transaction)"
    " FROM pg_prepared_xacts"
    " WHERE database = current_database() AND gid LIKE 'assent:%'";

struct Row {
  std::string gid;
  BranchId branch;
  std::uint32_t xid = 0;
  std::string owner;
  Evidence evidence;
  PreparedAge age;
};

// Ours by its name: anybody can prepare a transaction under it.
std::optional<Row> read_row(const Context& context, const Session& session,
                            const std::vector<Value>& row) {
  const std::optional<Gid> gid = parse_gid(row.at(0).value());
  if (!gid || gid->cluster != context.options.cluster) return std::nullopt;
  if (gid->branch.participant != context.options.participant) return std::nullopt;
  Row out{*row.at(0),
          gid->branch,
          static_cast<std::uint32_t>(to_u64(row.at(1))),
          row.at(2).value_or(""),
          {},
          {Millis(std::stoll(row.at(5).value())), std::stoll(row.at(6).value())}};
  out.evidence = {extend_xid(out.xid, to_u64(row.at(3))), session.system_identifier,
                  session.timeline, parse_lsn(row.at(4).value())};
  // What an older life prepared is from before the end of its last backend.
  if (gid->branch.epoch != context.epoch && context.older_lives_until) {
    out.evidence.wal_position = *context.older_lives_until;
  }
  return out;
}

class Sorter {
 public:
  Sorter(Context& context, const Finishers::Watch& finishing, std::vector<PreparedBranch> expected)
      : context_(context), finishing_(finishing) {
    for (PreparedBranch& one : expected) expected_.emplace(one.branch, one.evidence);
  }

  void add(const Row& row) {
    const auto known = expected_.find(row.branch);
    const bool another =
        known != expected_.end() && static_cast<std::uint32_t>(known->second.xid) != row.xid;
    if (another || row.owner != context_.options.work_role) return leave_alone(row);
    const Evidence evidence = known == expected_.end() ? row.evidence : known->second;
    if (known != expected_.end()) expected_.erase(known);
    if (finishing_.saw(row.gid)) return;
    context_.saw_prepared(row.branch, evidence.xid);
    found_.prepared.push_back({row.branch, evidence});
    found_.ages.push_back(row.age);
  }

  Inventory conclude() {
    context_.counters.strangers = strangers_;
    for (const auto& [id, evidence] : expected_) {
      if (finishing_.saw(make_gid(context_.options.cluster, id))) continue;
      found_.ended.push_back({id, evidence});
    }
    found_.slots = context_.counters.slots;
    return std::move(found_);
  }

 private:
  void leave_alone(const Row& row) {
    ++strangers_;
    if (context_.strangers.size() >= kStrangersMax) context_.strangers.clear();
    if (!context_.strangers.insert(row.gid + row.owner).second) return;
    log::warning(
        "a transaction is prepared under our name and is not ours: it is left alone; its owner "
        "must "
        "end it, or, if it is of an earlier postgres.work_role, set that role again",
        {{"gid", row.gid}, {"owner", row.owner}, {"xid", std::to_string(row.xid)}});
  }

  Context& context_;
  const Finishers::Watch& finishing_;
  std::map<BranchId, Evidence> expected_;
  std::size_t strangers_ = 0;
  Inventory found_;
};

}  // namespace

// 1. The view shows a row before its PREPARE is on the synchronous standby; the barrier comes after
//    it in the WAL, so once that is there, every PREPARE listed is.
// 2. A gid whose finish was under way at any moment since the reading may be gone by now (R6).
// 3. Ours is what the work role prepared in this database under our name (R8). Of a branch of this
//    life the xid is known as well: another one is a stranger's.
// 4. What was expected was prepared before the view was read: its PREPARE had been answered. It is
//    not in the view, and no finish of ours was under way meanwhile. So somebody else has ended it,
//    or a finish of ours did whose answer was lost. Which, and how, the next finish settles by the
//    evidence; nothing is concluded here.
asio::awaitable<Result<Inventory>> take_inventory(std::shared_ptr<Context> context,
                                                  std::shared_ptr<Control> control,
                                                  std::shared_ptr<Finishers> finishers,
                                                  std::vector<PreparedBranch> expected) {
  const Finishers::Watch finishing(*finishers);
  auto listed = co_await control->query(kListPrepared);
  if (!listed) co_return tl::unexpected(listed.error());
  const Session session = control->session();
  auto durable = co_await control->barrier();
  if (!durable) co_return tl::unexpected(durable.error());
  Sorter sorter(*context, finishing, std::move(expected));
  for (const auto& row : listed->rows) {
    if (const auto ours = read_row(*context, session, row)) sorter.add(*ours);
  }
  co_return sorter.conclude();
}

}  // namespace assent::postgres
