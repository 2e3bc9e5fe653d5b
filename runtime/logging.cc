#include "runtime/logging.h"

#include <unistd.h>

#include <atomic>
#include <boost/date_time/posix_time/posix_time_types.hpp>
#include <boost/log/attributes/clock.hpp>
#include <boost/log/attributes/constant.hpp>
#include <boost/log/core.hpp>
#include <boost/log/expressions/formatter.hpp>
#include <boost/log/expressions/message.hpp>
#include <boost/log/sinks/basic_sink_backend.hpp>
#include <boost/log/sinks/sync_frontend.hpp>
#include <boost/log/sources/record_ostream.hpp>
#include <boost/log/sources/severity_logger.hpp>
#include <boost/log/utility/formatting_ostream.hpp>
#include <boost/log/utility/setup/common_attributes.hpp>
#include <boost/make_shared.hpp>
#include <cerrno>
#include <cstdio>
#include <utility>

namespace assent::log {
namespace {

namespace bl = boost::log;
using boost::posix_time::ptime;

// Above every level: nothing is written before init().
constexpr int kSilent = static_cast<int>(Level::kError) + 1;
std::atomic<int> threshold{kSilent};

// As wide as "debug", so that most lines align.
std::string_view padded_name(Level level) {
  switch (level) {
    case Level::kDebug:
      return "debug";
    case Level::kInfo:
      return "info ";
    case Level::kWarning:
      return "warning";
    case Level::kError:
      return "error";
  }
  return "error";
}

std::string utc(const ptime& time) {
  const auto date = time.date().year_month_day();
  const auto clock = time.time_of_day();
  char text[40];
  const int size = std::snprintf(
      text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year),
      static_cast<int>(date.month.as_number()), static_cast<int>(date.day.as_number()),
      static_cast<int>(clock.hours()), static_cast<int>(clock.minutes()),
      static_cast<int>(clock.seconds()), static_cast<int>(clock.total_milliseconds() % 1'000));
  return {text, static_cast<std::size_t>(size)};
}

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
}

// Control characters are shown by their number: a hostile value never makes up a line of its own.
void append_visible(std::string& out, std::string_view text, bool quoted) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (const char c : text) {
    if (is_control(c)) {
      const auto byte = static_cast<unsigned char>(c);
      out += "\\x";
      out += kDigits[byte >> 4];
      out += kDigits[byte & 0xF];
    } else {
      if (quoted && (c == '"' || c == '\\')) out += '\\';
      out += c;
    }
  }
}

bool needs_quotes(std::string_view value) {
  return value.empty() || value.find_first_of(" \"\\=") != std::string_view::npos ||
         std::find_if(value.begin(), value.end(), is_control) != value.end();
}

void append_field(std::string& out, const Field& field) {
  out += ' ';
  out += field.name;
  out += '=';
  const bool quoted = needs_quotes(field.value);
  if (quoted) out += '"';
  append_visible(out, field.value, quoted);
  if (quoted) out += '"';
}

// Writes each line in one system call: lines of processes that share a standard error stay whole.
class StandardError
    : public bl::sinks::basic_formatted_sink_backend<char, bl::sinks::synchronized_feeding> {
 public:
  void consume(const bl::record_view& /* record */, const std::string& formatted) {
    const std::string line = formatted + '\n';
    std::string_view rest = line;
    while (!rest.empty()) {
      const ssize_t written = ::write(STDERR_FILENO, rest.data(), rest.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return;  // There is nowhere left to complain.
      rest.remove_prefix(static_cast<std::size_t>(written));
    }
  }
};

void format_line(const bl::record_view& record, bl::formatting_ostream& out) {
  const auto time = bl::extract<ptime>("TimeStamp", record);
  const auto level = bl::extract<Level>("Severity", record);
  const auto program = bl::extract<std::string>("Program", record);
  if (time) out << utc(*time) << ' ';
  if (level) out << padded_name(*level) << ' ';
  if (program) out << *program << ' ';
  out << record[bl::expressions::smessage];
}

using Logger = bl::sources::severity_logger_mt<Level>;

Logger& logger() {
  static Logger logger;
  return logger;
}

}  // namespace

Result<Level> parse_level(std::string_view text) {
  if (text == "debug") return Level::kDebug;
  if (text == "info") return Level::kInfo;
  if (text == "warning") return Level::kWarning;
  if (text == "error") return Level::kError;
  return failure(ErrorCode::kInvalidArgument, "log level is '" + std::string(text) +
                                                  "', but must be debug, info, warning or error");
}

void init(std::string program, Level level) {
  using Sink = bl::sinks::synchronous_sink<StandardError>;
  const auto sink = boost::make_shared<Sink>();
  sink->set_formatter(&format_line);
  const auto core = bl::core::get();
  core->add_global_attribute("TimeStamp", bl::attributes::utc_clock());
  core->add_global_attribute("Program", bl::attributes::constant<std::string>(std::move(program)));
  core->add_sink(sink);
  threshold = static_cast<int>(level);
}

bool enabled(Level level) {
  return static_cast<int>(level) >= threshold.load(std::memory_order_relaxed);
}

void write(Level level, std::string_view text, std::initializer_list<Field> fields) {
  if (!enabled(level)) return;
  std::string line;
  append_visible(line, text, false);
  for (const Field& field : fields) append_field(line, field);
  bl::record record = logger().open_record(bl::keywords::severity = level);
  if (!record) return;
  bl::record_ostream(record) << line << std::flush;
  logger().push_record(std::move(record));
}

}  // namespace assent::log
