#include "integration/workload/ours.h"

#include "base/check.h"

namespace assent::workload {
namespace {

constexpr const char* kUpdate = "UPDATE accounts SET balance = balance + $1 WHERE id = $2";

class Ours : public Mover {
 public:
  Ours(Client& client, const OursOptions& options) : client_(client), options_(options) {}

  CommitResult move(const Changes& changes) override {
    CHECK_EQ(changes.size(), options_.participants.size(), "a change for each participant");
    return options_.one_shot ? move_at_once(changes) : move_in_steps(changes);
  }

 private:
  // Not tried again, so that a conflict is counted as it is in steps.
  CommitResult move_at_once(const Changes& changes) {
    OneShot transaction;
    for (std::size_t i = 0; i < changes.size(); ++i) {
      transaction.add(options_.participants[i], kUpdate, {changes[i].amount, changes[i].account},
                      1);
    }
    return client_.commit(transaction, options_.commit, {.attempts_max = 1});
  }

  // An error of a statement is the reason for which commit() aborts.
  CommitResult move_in_steps(const Changes& changes) {
    Transaction transaction = client_.start();
    for (std::size_t i = 0; i < changes.size(); ++i) {
      (void)transaction.execute(options_.participants[i], kUpdate,
                                {changes[i].amount, changes[i].account}, 1);
    }
    return transaction.commit(options_.commit);
  }

  Client& client_;
  const OursOptions options_;
};

}  // namespace

std::unique_ptr<Mover> make_ours(Client& client, const OursOptions& options) {
  return std::make_unique<Ours>(client, options);
}

}  // namespace assent::workload
