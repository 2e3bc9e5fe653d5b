// Names of prepared transactions, which anybody in the database may make up.
#include "base/check.h"
#include "base/gid.h"
#include "tests/fuzz/target.h"

namespace assent::fuzz {

std::vector<std::string> corpus() {
  const TransactionId id = make_transaction_id(LogTime(1'700'000'000'000), 7, 8, creator_tag("a"));
  const std::string good = make_gid("prod", {id, "orders", Epoch(3), Attempt(7)});
  const std::string longest =
      make_gid(std::string(32, 'c'), {id, std::string(63, 'p'), Epoch(~0ULL), Attempt(~0ULL)});
  return {good,          longest,      longest + "0", good + ".1",    good + ":",
          "assent:",     "assent:::.", good + '\0',   " " + good,     "assent:prod:x:orders:1.1",
          to_string(id), good + "\n",  "assent:prod", "other:" + good};
}

}  // namespace assent::fuzz

// What is accepted is exactly what make_gid makes of it; all else is a stranger's (R8).
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = assent::fuzz::as_text(data, size);
  const auto gid = assent::parse_gid(text);
  if (gid) CHECK(assent::make_gid(gid->cluster, gid->branch) == text, "a gid has one spelling");
  return 0;
}
