#include "runtime/config.h"

#include <toml++/toml.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <set>
#include <tuple>
#include <utility>

namespace assent::config {
namespace {

std::string_view type_name(toml::node_type type) {
  switch (type) {
    case toml::node_type::none:
      return "nothing";
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "an array";
    case toml::node_type::string:
      return "a string";
    case toml::node_type::integer:
      return "an integer";
    case toml::node_type::floating_point:
      return "a floating-point number";
    case toml::node_type::boolean:
      return "a boolean";
    case toml::node_type::date:
      return "a date";
    case toml::node_type::time:
      return "a time";
    case toml::node_type::date_time:
      return "a date and time";
  }
  return "of no known type";
}

using Path = std::string;
using Leaves = std::vector<std::pair<toml::source_position, Path>>;

// Every value of `table`, and every table without one, by its dotted key.
void collect_leaves(const toml::table& table, const Path& prefix, Leaves& leaves) {
  for (const auto& [key, node] : table) {
    const Path path = prefix + std::string(key.str());
    const toml::table* inner = node.as_table();
    if (inner != nullptr && !inner->empty()) {
      collect_leaves(*inner, path + ".", leaves);
    } else {
      leaves.emplace_back(key.source().begin, path);
    }
  }
}

tl::unexpected<Error> unreadable(const std::string& path) {
  return failure(ErrorCode::kInvalidArgument, "cannot read " + path + ": " + std::strerror(errno));
}

Result<std::string> read_file(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"),
                                                             &std::fclose);
  if (!file) return unreadable(path);
  std::string text;
  char buffer[4096];
  while (const std::size_t size = std::fread(buffer, 1, sizeof buffer, file.get())) {
    text.append(buffer, size);
  }
  if (std::ferror(file.get()) != 0) return unreadable(path);
  return text;
}

}  // namespace

struct File::Impl {
  std::string name;
  toml::table table;
  std::set<Path, std::less<>> taken;
  std::optional<std::string> wrong;    // the first
  std::optional<std::string> missing;  // the first

  // The node of `key`, if there is one; the key counts as taken either way.
  const toml::node* find(std::string_view key);
  void note_wrong(const toml::node& node, std::string_view key, const std::string& what);
  // True when a value was, or may have been, taken out of the table or value at `path`.
  [[nodiscard]] bool known(const Path& path) const;
  [[nodiscard]] std::optional<std::string> first_unknown() const;

  template <class T>
  void take(std::string_view key, T& value, std::string_view expected);
};

const toml::node* File::Impl::find(std::string_view key) {
  taken.emplace(key);
  return std::as_const(table).at_path(key).node();
}

void File::Impl::note_wrong(const toml::node& node, std::string_view key, const std::string& what) {
  if (wrong) return;
  wrong = name + ":" + std::to_string(node.source().begin.line) + ": " + std::string(key) + " is " +
          what;
}

template <class T>
void File::Impl::take(std::string_view key, T& value, std::string_view expected) {
  const toml::node* node = find(key);
  if (node == nullptr) return;
  if (auto found = node->value_exact<T>()) {
    value = std::move(*found);
  } else {
    note_wrong(*node, key,
               std::string(type_name(node->type())) + ", but must be " + std::string(expected));
  }
}

bool File::Impl::known(const Path& path) const {
  if (taken.contains(path)) return true;
  const auto inner = taken.lower_bound(path + ".");
  return inner != taken.end() && inner->starts_with(path + ".");
}

std::optional<std::string> File::Impl::first_unknown() const {
  Leaves leaves;
  collect_leaves(table, "", leaves);
  std::erase_if(leaves, [this](const auto& leaf) { return known(leaf.second); });
  if (leaves.empty()) return std::nullopt;
  const auto& [position, path] = *std::ranges::min_element(
      leaves, {}, [](const auto& leaf) { return std::tuple(leaf.first.line, leaf.first.column); });
  return name + ":" + std::to_string(position.line) + ": unknown key " + path;
}

File::File(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
File::File(File&&) noexcept = default;
File& File::operator=(File&&) noexcept = default;
File::~File() = default;

Result<File> File::load(const std::string& path) {
  const Result<std::string> text = read_file(path);
  if (!text) return tl::unexpected(text.error());
  return parse(*text, path);
}

Result<File> File::parse(std::string_view text, const std::string& name) {
  try {
    auto impl = std::make_unique<Impl>();
    impl->name = name;
    impl->table = toml::parse(text, name);
    return File(std::move(impl));
  } catch (const toml::parse_error& error) {
    return failure(ErrorCode::kInvalidArgument, name + ":" +
                                                    std::to_string(error.source().begin.line) +
                                                    ": " + std::string(error.description()));
  }
}

void File::take(std::string_view key, std::string& value) {
  impl_->take(key, value, "a string");
}

void File::take(std::string_view key, bool& value) {
  impl_->take(key, value, "a boolean");
}

void File::take(std::string_view key, std::int64_t& value, std::int64_t low, std::int64_t high) {
  std::int64_t found = value;
  impl_->take(key, found, "an integer");
  const toml::node* node = impl_->find(key);
  if (node == nullptr || !node->is_integer()) return;
  if (found >= low && found <= high) {
    value = found;
  } else {
    impl_->note_wrong(*node, key,
                      std::to_string(found) + ", but must be " + std::to_string(low) + " to " +
                          std::to_string(high));
  }
}

void File::take(std::string_view key, std::vector<std::string>& value) {
  const toml::node* node = impl_->find(key);
  if (node == nullptr) return;
  const toml::array* array = node->as_array();
  if (array == nullptr || (!array->empty() && !array->is_homogeneous<std::string>())) {
    return impl_->note_wrong(*node, key, "not an array of strings");
  }
  value.clear();
  for (const toml::node& element : *array) value.push_back(**element.as_string());
}

void File::require(std::string_view key, std::string& value) {
  value.clear();
  take(key, value);
  if (!value.empty() || impl_->missing) return;
  impl_->missing = impl_->name + ": " + std::string(key) + " is missing or empty";
}

std::vector<std::string> File::keys(std::string_view table) const {
  std::vector<std::string> out;
  const toml::table* found = std::as_const(impl_->table).at_path(table).as_table();
  if (found == nullptr) return out;
  for (const auto& [key, node] : *found) out.emplace_back(key.str());
  return out;
}

void File::refuse(std::string_view key, const std::string& what) {
  if (const toml::node* node = impl_->find(key)) {
    impl_->note_wrong(*node, key, what);
  } else if (!impl_->wrong) {
    impl_->wrong = impl_->name + ": " + std::string(key) + " is " + what;
  }
}

Result<void> File::finish() {
  std::optional<std::string> why = impl_->wrong;
  if (!why) why = impl_->first_unknown();
  if (!why) why = impl_->missing;
  if (!why) return {};
  return failure(ErrorCode::kInvalidArgument, std::move(*why));
}

}  // namespace assent::config
