#include "participant/postgres/libpq_connection.h"

#include <sys/ioctl.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <chrono>
#include <iterator>
#include <sstream>
#include <string>
#include <utility>

#include "base/check.h"
#include "runtime/failpoint.h"

namespace assent::postgres {
namespace {

using boost::system::error_code;
using Socket = boost::asio::posix::stream_descriptor;

constexpr auto kConnectTimeout = std::chrono::seconds(5);
constexpr std::size_t kReadOnce = 16'384;

// libpq gives each address that it tried a line, and each of its guesses one that is indented.
// Logs, tables and sentences take one line, without the guesses.
std::string on_one_line(const std::string& text) {
  std::istringstream lines(text);
  std::string out;
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line.front() == '\t') continue;
    out += (out.empty() ? "" : "; ") + line;
  }
  return out;
}

// The bytes of all values of an answer.
std::uint64_t bytes_of(const Answer& answer) {
  std::uint64_t bytes = 0;
  for (const auto& row : answer.result.rows) {
    for (const Value& value : row) bytes += value ? value->size() : 0;
  }
  return bytes;
}

void append(std::vector<std::string>& to, std::vector<std::string> more) {
  std::ranges::move(more, std::back_inserter(to));
}

// By its name at the server, or as it is.
bool queue_command(PGconn* handle, const Command& command, const std::string* name) {
  std::vector<const char*> values;
  values.reserve(command.parameters.size());
  for (const Value& value : command.parameters) {
    values.push_back(value ? value->c_str() : nullptr);
  }
  const int count = static_cast<int>(values.size());
  if (name != nullptr) {
    return PQsendQueryPrepared(handle, name->c_str(), count, values.data(), nullptr, nullptr, 0) ==
           1;
  }
  return PQsendQueryParams(handle, command.sql.c_str(), count, nullptr, values.data(), nullptr,
                           nullptr, 0) == 1;
}

}  // namespace

// ── connecting ──────────────────────────────────────────────────────────────────────────────────

void LibpqConnection::open(boost::asio::io_context& loop, const ConnectionOptions& options,
                           Opened done) {
  const std::shared_ptr<LibpqConnection> connection(
      new LibpqConnection(loop, options, std::move(done)));
  connection->start(options);
}

LibpqConnection::LibpqConnection(boost::asio::io_context& loop, const ConnectionOptions& options,
                                 Opened opened)
    : loop_(loop),
      socket_(loop),
      connect_deadline_(loop),
      opened_(std::move(opened)),
      result_max_bytes_(options.result_max_bytes),
      prepared_(options.prepared_statements) {}

LibpqConnection::~LibpqConnection() {
  shut();
}

void LibpqConnection::start(const ConnectionOptions& options) {
  const std::string port = std::to_string(options.port);
  const char* const names[] = {
      "host", "port", "dbname", "user", "options", "client_encoding", "application_name", nullptr};
  const char* const values[] = {options.host.c_str(),
                                port.c_str(),
                                options.database.c_str(),
                                options.user.c_str(),
                                options.settings.c_str(),
                                "UTF8",
                                options.application_name.c_str(),
                                nullptr};
  handle_.reset(PQconnectStartParams(names, values, 0));
  CHECK(handle_ != nullptr, "libpq must get the memory for a connection");
  connect_deadline_.expires_after(kConnectTimeout);
  connect_deadline_.async_wait([self = shared_from_this()](error_code cancelled) {
    if (!cancelled) self->end_connect(Error{ErrorCode::kUnavailable, "connecting took too long"});
  });
  if (PQstatus(handle_.get()) == CONNECTION_BAD) return lose_later();
  watch_connect(Socket::wait_write);
}

void LibpqConnection::poll_connect() {
  // libpq may close its socket and open another inside the call, and then closes a descriptor that
  // the loop must no longer know.
  socket_.release();
  switch (PQconnectPoll(handle_.get())) {
    case PGRES_POLLING_READING:
      return watch_connect(Socket::wait_read);
    case PGRES_POLLING_WRITING:
    case PGRES_POLLING_ACTIVE:
      return watch_connect(Socket::wait_write);
    case PGRES_POLLING_OK:
      return become_open();
    case PGRES_POLLING_FAILED:
      return end_connect(loss());
  }
}

void LibpqConnection::watch_connect(Socket::wait_type event) {
  socket_.assign(PQsocket(handle_.get()));
  socket_.async_wait(event, [self = shared_from_this()](error_code cancelled) {
    if (!cancelled && self->is_open()) self->poll_connect();
  });
}

void LibpqConnection::end_connect(std::optional<Error> failure) {
  if (!opened_) return;
  connect_deadline_.cancel();
  const Opened opened = std::exchange(opened_, nullptr);
  if (!failure) return opened(shared_from_this());
  shut();
  opened(tl::unexpected(std::move(*failure)));
}

void LibpqConnection::become_open() {
  PGconn* handle = handle_.get();
  PQsetNoticeReceiver(handle, on_notice, this);
  CHECK(PQsetnonblocking(handle, 1) == 0 && PQenterPipelineMode(handle) == 1,
        "a new connection is idle, so it takes both modes");
  socket_.assign(PQsocket(handle));
  watch_reads();
  end_connect(std::nullopt);
}

// ── sending ─────────────────────────────────────────────────────────────────────────────────────

void LibpqConnection::send(Batch batch, Completion completion) {
  if (!is_open()) {
    boost::asio::post(loop_, [completion = std::move(completion)] {
      completion(failure(ErrorCode::kUnavailable, "the connection to PostgreSQL was lost"));
    });
    return;
  }
  pending_.push_back({batch.size(), std::move(completion)});
  if (!queue(batch, pending_.back())) return lose_later();
  flush();
  if (!writing_) failpoint("agent.sql.sent");
}

bool LibpqConnection::queue(const Batch& batch, Pending& pending) {
  PGconn* handle = handle_.get();
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const Command& command = batch[i];
    const auto use = command.reusable ? prepared_.use(command.sql) : std::nullopt;
    if (use && use->prepare_first) {
      pending.preparing.emplace_back(i, use->name);
      if (PQsendPrepare(handle, use->name.c_str(), command.sql.c_str(), 0, nullptr) != 1) {
        return false;
      }
    }
    if (!queue_command(handle, command, use ? &use->name : nullptr)) return false;
  }
  return PQpipelineSync(handle) == 1;
}

void LibpqConnection::flush() {
  if (writing_) return;
  const int rest = PQflush(handle_.get());
  if (rest < 0) return lose_later();
  if (rest > 0) watch_writes();
}

void LibpqConnection::watch_writes() {
  writing_ = true;
  socket_.async_wait(Socket::wait_write, [weak = weak_from_this()](error_code cancelled) {
    const auto self = weak.lock();
    if (cancelled || !self || !self->is_open()) return;
    self->writing_ = false;
    self->flush();
  });
}

// ── receiving ───────────────────────────────────────────────────────────────────────────────────

// The wait holds no reference: a connection that nobody owns any more closes.
void LibpqConnection::watch_reads() {
  socket_.async_wait(Socket::wait_read, [weak = weak_from_this()](error_code cancelled) {
    const auto self = weak.lock();
    if (!cancelled && self && self->is_open()) self->on_readable();
  });
}

// libpq keeps an answer in memory until it is complete, without a limit, and does not say how much
// it has read. What comes in is counted only once something has come that completed no answer:
// small ones cost nothing.
void LibpqConnection::on_readable() {
  const std::size_t before = large_ ? readable() : 0;
  const bool alive = PQconsumeInput(handle_.get()) == 1;
  if (large_) count_large_result(before, readable());
  bool answered = false;
  if (is_open()) answered = take_answers();
  if (!is_open()) return;  // a completion has closed it
  large_ = result_max_bytes_ > 0 && !answered && !pending_.empty() && PQisBusy(handle_.get()) == 1;
  if (!alive || PQstatus(handle_.get()) == CONNECTION_BAD) return fail(loss());
  flush();  // what libpq could not write while the server could not read
  watch_reads();
}

std::size_t LibpqConnection::readable() const {
  int bytes = 0;
  return ioctl(PQsocket(handle_.get()), FIONREAD, &bytes) == 0 ? static_cast<std::size_t>(bytes)
                                                               : 0;
}

// 1. libpq reads once into a buffer of 16 KiB, and has taken that much, or all that there was.
// 2. It makes its buffer larger only for a row that does not fit, and then reads on for as long as
//    bytes come: of one very long row this counts too little, and keep_answer sees it when it is
//    there.
void LibpqConnection::count_large_result(std::size_t before, std::size_t after) {
  if (pending_.empty()) return;
  const std::size_t taken = before > after ? before - after : 0;
  pending_.front().bytes += std::max(std::min(before, kReadOnce), taken);
  if (pending_.front().bytes > result_max_bytes_) refuse_result();
}

void LibpqConnection::refuse_result() {
  SqlError sql;
  sql.sqlstate = "54000";
  sql.message = "the result is larger than " + std::to_string(result_max_bytes_) + " bytes";
  sql.hint = "Select fewer rows or columns, or raise postgres.result_max_bytes of the agent.";
  fail(Error{ErrorCode::kSql, sql.sqlstate + ": " + sql.message, {}, sql});
}

// True when there was one.
bool LibpqConnection::take_answers() {
  bool any = false;
  // PQisBusy also lets libpq take in what comes outside of answers. Between two answers PQgetResult
  // returns null once; twice means that libpq has no more.
  for (int nulls = 0;
       is_open() && PQisBusy(handle_.get()) == 0 && !pending_.empty() && nulls < 2;) {
    ResultHandle result(PQgetResult(handle_.get()));
    if (!result) {
      ++nulls;
    } else {
      nulls = 0;
      any = true;
      if (!take(std::move(result))) break;
    }
  }
  return any;
}

// False when libpq needs more input first.
bool LibpqConnection::take(ResultHandle result) {
  switch (PQresultStatus(result.get())) {
    case PGRES_PIPELINE_SYNC:
      complete_front();
      return true;
    case PGRES_COPY_IN:
      return refuse_copy_in();
    case PGRES_COPY_OUT:
      return drop_copy_out();
    case PGRES_COPY_BOTH:  // of replication connections only
    case PGRES_EMPTY_QUERY:
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
    case PGRES_BAD_RESPONSE:
    case PGRES_NONFATAL_ERROR:
    case PGRES_FATAL_ERROR:
    case PGRES_SINGLE_TUPLE:
    case PGRES_PIPELINE_ABORTED:
      keep_answer(std::move(result));
      return true;
  }
  return true;
}

// The server takes the Sync behind a COPY for nothing; libpq sends another with the end of data.
// With more commands behind, the server ends the connection, which is a clean end as well.
bool LibpqConnection::refuse_copy_in() {
  pending_.front().copying = true;
  const bool ended = PQputCopyEnd(handle_.get(), "COPY is not supported in a branch") == 1;
  flush();
  return ended;
}

bool LibpqConnection::drop_copy_out() {
  pending_.front().copying = true;
  char* line = nullptr;
  int length = PQgetCopyData(handle_.get(), &line, 1);
  for (; length > 0; length = PQgetCopyData(handle_.get(), &line, 1)) PQfreemem(line);
  return length != 0;
}

// True when the result is of a name's making, and answers no command. A text that is refused fails
// its command, whose own result, that it was skipped, is dropped; one that was skipped, because an
// earlier command of its batch failed, is followed by its command's, which says the same.
bool LibpqConnection::take_preparation(const PGresult* result) {
  Pending& front = pending_.front();
  if (std::exchange(front.skip_next, false)) return true;
  if (front.preparing.empty() || front.preparing.front().first != front.answers.size()) {
    return false;
  }
  const std::string name = std::move(front.preparing.front().second);
  front.preparing.pop_front();
  if (PQresultStatus(result) == PGRES_COMMAND_OK) {
    prepared_.prepared(name);
    return true;
  }
  prepared_.refused(name);
  front.skip_next = PQresultStatus(result) != PGRES_PIPELINE_ABORTED;
  return !front.skip_next;
}

void LibpqConnection::keep_answer(ResultHandle result) {
  if (take_preparation(result.get())) return;
  Pending& front = pending_.front();
  front.memory += PQresultMemorySize(result.get());
  Answer answer = to_answer(result.get(), std::exchange(front.warnings, {}),
                            std::exchange(front.copying, false));
  if (front.answers.size() == front.commands) return fail_last_answer(std::move(answer));
  front.answers.push_back(std::move(answer));
  // What libpq needs for it is never less than the values, and quickly known.
  if (result_max_bytes_ == 0 || front.memory <= result_max_bytes_) return;
  std::uint64_t bytes = 0;
  for (const Answer& kept : front.answers) bytes += bytes_of(kept);
  if (bytes > result_max_bytes_) refuse_result();
}

// What the server says behind the last answer is of the Sync, which commits a batch without BEGIN:
// deferred constraints and serialization failures come only then. A bare Sync commits nothing, and
// what fails it is the end of the session.
void LibpqConnection::fail_last_answer(Answer error) {
  CHECK(!error.ok(), "libpq gives one answer for each command");
  Answers& answers = pending_.front().answers;
  if (answers.empty()) return fail({ErrorCode::kUnavailable, error.sql.message});
  append(answers.back().warnings, std::move(error.warnings));
  if (!answers.back().ok()) return;
  error.warnings = std::move(answers.back().warnings);
  answers.back() = std::move(error);
}

// The warnings that are left came behind the last answer: a cancelled wait for the synchronous
// standby, when the Sync commits.
void LibpqConnection::complete_front() {
  Pending done = std::move(pending_.front());
  pending_.pop_front();
  CHECK_EQ(done.answers.size(), done.commands, "libpq gives one answer for each command");
  if (!done.answers.empty()) append(done.answers.back().warnings, std::move(done.warnings));
  const auto self = shared_from_this();  // the completion may drop the last owner
  done.completion(std::move(done.answers));
}

// libpq hands a notice over when it reads it: before anybody takes the answer that comes behind it.
void LibpqConnection::on_notice(void* self, const PGresult* notice) {
  auto* connection = static_cast<LibpqConnection*>(self);
  const char* severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
  const char* message = PQresultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY);
  if (connection->pending_.empty() || severity == nullptr || message == nullptr) return;
  if (std::string_view(severity) == "WARNING") {
    connection->pending_.front().warnings.emplace_back(message);
  }
}

bool LibpqConnection::maybe_in_transaction() const {
  return !is_open() || PQtransactionStatus(handle_.get()) != PQTRANS_IDLE;
}

bool LibpqConnection::in_failed_transaction() const {
  return is_open() && PQtransactionStatus(handle_.get()) == PQTRANS_INERROR;
}

// ── the end ─────────────────────────────────────────────────────────────────────────────────────

Error LibpqConnection::loss() const {
  return {ErrorCode::kUnavailable, on_one_line(PQerrorMessage(handle_.get()))};
}

void LibpqConnection::lose_later() {
  boost::asio::post(loop_, [self = shared_from_this()] {
    if (self->opened_) return self->end_connect(self->loss());
    if (self->is_open()) self->fail(self->loss());
  });
}

void LibpqConnection::fail(const Error& why) {
  if (!is_open()) return;
  const auto self = shared_from_this();
  shut();
  const Lost on_lost = std::exchange(on_lost_, nullptr);
  for (Pending& pending : std::exchange(pending_, {})) pending.completion(tl::unexpected(why));
  if (on_lost) on_lost(why);
}

void LibpqConnection::close() {
  const auto self = shared_from_this();  // a completion may hold the last owner
  shut();
  const auto dropped = std::exchange(pending_, {});
  on_lost_ = nullptr;
  opened_ = nullptr;
}

void LibpqConnection::shut() {
  connect_deadline_.cancel();
  if (socket_.is_open()) socket_.release();  // PQfinish closes it
  handle_.reset();
}

}  // namespace assent::postgres
