#include "participant/postgres/schema.h"

#include <string>

#include "participant/postgres/awaiting.h"
#include "runtime/logging.h"

namespace assent::postgres {
namespace {

constexpr std::string_view kWorkRole = ":\"work_role\"";
constexpr std::string_view kQuote = "$assent_schema$";

// Columns: does the schema exist; may this role make anything in it; its version's function.
constexpr char kFind[] =
    "SELECT to_regnamespace('assent') IS NOT NULL,"
    " coalesce((SELECT pg_has_role(nspowner, 'USAGE') FROM pg_namespace WHERE nspname = 'assent'),"
    "  false), to_regprocedure('assent.schema_version()') IS NOT NULL";

std::string quoted_name(std::string_view name) {
  std::string out = "\"";
  for (const char c : name) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

// All of it as one statement, which takes effect as a whole or not at all.
std::string script(const std::string& work_role) {
  std::string sql(kSchemaSql);
  const std::string role = quoted_name(work_role);
  for (std::size_t at = sql.find(kWorkRole); at != std::string::npos;
       at = sql.find(kWorkRole, at)) {
    sql.replace(at, kWorkRole.size(), role);
    at += role.size();
  }
  return "DO $assent$ BEGIN EXECUTE " + std::string(kQuote) + sql + std::string(kQuote) +
         "; END $assent$";
}

asio::awaitable<Result<int>> version(Control& control) {
  std::string sql = "SELECT assent.schema_version()";
  auto found = co_await control.query(std::move(sql));
  if (!found) co_return tl::unexpected(found.error());
  co_return static_cast<int>(to_u64(found->rows.at(0).at(0)));
}

}  // namespace

asio::awaitable<Result<void>> upgrade_schema(std::shared_ptr<Context> context,
                                             std::shared_ptr<Control> control) {
  auto found = co_await control->query(kFind);
  if (!found) co_return tl::unexpected(found.error());
  const auto& row = found->rows.at(0);
  if (row[0] != "t" || row[1] != "t") co_return Result<void>();
  Result<int> present = 0;
  if (row[2] == "t") present = co_await version(*control);
  if (!present) co_return tl::unexpected(present.error());
  if (*present >= kSchemaVersion) co_return Result<void>();
  auto made = co_await control->query(script(context->options.work_role));
  if (!made) {
    co_return failure(ErrorCode::kInvalidArgument,
                      "the schema assent could not be brought to version " +
                          std::to_string(kSchemaVersion) + ": " + made.error().message +
                          "; run participant/schema/install.sql in this database");
  }
  log::info("schema assent brought up to date",
            {{"database", context->options.database}, {"version", std::to_string(kSchemaVersion)}});
  co_return Result<void>();
}

}  // namespace assent::postgres
