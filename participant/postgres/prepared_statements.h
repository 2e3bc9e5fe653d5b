// Which texts one connection keeps prepared at its server, so that they are parsed and planned once
// and not for each branch. What the server has done is known only when it has answered, so a text
// is used by its name from then on and not before.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace assent::postgres {

class PreparedStatements {
 public:
  struct Use {
    std::string name;
    bool prepare_first;  // the caller sends the text under the name, and says what became of it
  };

  // `limit`: texts at once, those included that were seen only once. 0: none.
  explicit PreparedStatements(std::size_t limit) : limit_(limit) {}

  // How a text is to be sent; none: as it is, without a name. It is worth a name from its second
  // time on.
  std::optional<Use> use(std::string_view text);
  // What the server answered to the name. One that was forgotten meanwhile is nobody's.
  void prepared(const std::string& name);
  void refused(const std::string& name);

  // All may be gone at the server. Names are never used twice.
  void forget() { texts_.clear(); }
  // There is no room for another text until all are forgotten.
  [[nodiscard]] bool full() const { return limit_ > 0 && texts_.size() >= limit_; }

 private:
  enum class State : std::uint8_t { kSeen, kPreparing, kPrepared };
  struct Text {
    State state = State::kSeen;
    std::string name = {};
  };
  Text* find_name(const std::string& name);

  const std::size_t limit_;
  std::map<std::string, Text, std::less<>> texts_;
  std::uint64_t names_ = 0;
};

}  // namespace assent::postgres
