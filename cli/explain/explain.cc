// The words: for each cause how it is, why, what comes next by itself, and what may safely be done.
#include <algorithm>

#include "cli/explain/draft.h"
#include "cli/explain/explanation.h"
#include "cli/explain/situation.h"
#include "cli/explain/units.h"

namespace assent::explain {
namespace {

constexpr std::string_view kRecoveryLooks = "once a second";

class Writer : private Draft {
 public:
  explicit Writer(const Facts& facts) : Draft(facts) {}

  Explanation write() {
    out_.cause = cause_of(s_);
    out_.outcome = outcome();
    out_.timeline = timeline_of(s_);
    out_.branches = branches_of(s_);
    add_waiting();
    add_missing();
    say();
    return std::move(out_);
  }

 private:
  void say() {
    switch (out_.cause) {
      case Cause::kLive:
        return live();
      case Cause::kOpen:
        return open();
      case Cause::kDone:
        return is("applied everywhere",
                  "Every branch has carried the outcome out. The record is kept for " +
                      duration(retention()) + " at least.");
      case Cause::kFinishing:
        return finishing();
      case Cause::kRefused:
        return refused();
      case Cause::kOnePhase:
        return one_phase();
      case Cause::kExpired:
        return expired();
      case Cause::kUnknown:
        return unknown();
      case Cause::kClientGone:
        return client_gone();
      case Cause::kParticipantDownBefore:
        return participant_down_before();
      case Cause::kParticipantDownAfter:
        return participant_down_after();
      case Cause::kLeaderLostBefore:
        return leader_lost_before();
      case Cause::kLeaderLostAfter:
        return leader_lost_after();
      case Cause::kOnePhaseUnknown:
        return one_phase_unknown();
      case Cause::kNoLeader:
        return no_leader();
      case Cause::kEndedByHand:
        return ended_by_hand();
      case Cause::kHistoryLost:
        return history_lost();
      case Cause::kHazard:
        return hazard();
      case Cause::kRestored:
        return restored();
      case Cause::kUndecidable:
        return undecidable();
      case Cause::kResolved:
        return resolved();
      case Cause::kSettled:
        is("settled",
           "A branch was a hazard, and has ended as decided since. Nothing is wrong any "
           "more; it is kept so that somebody sees it.");
        next("Nothing: it is over.");
        return forget("");
      case Cause::kStranger:
        return stranger();
      case Cause::kForeign:
        return foreign();
      case Cause::kNotReached:
        return not_reached();
    }
  }

  // ── it goes on, or is over ────────────────────────────────────────────────────────────────────

  void live() {
    const commit::DrivenView& driven = *facts_.driven;
    if (driven.stage == commit::DrivenStage::kProposing) {
      is("being decided", "The decision, " + std::string(name(*driven.outcome)) +
                              ", is on its way through the log.");
      next("It takes effect as soon as a majority of the replicas has it on disk.");
      return;
    }
    is("under way",
       "The leader is asking its branches to prepare, and everybody whom it needs "
       "answers.");
    next("It is decided when all have voted" + deadline_words() + ".");
  }

  void open() {
    const Participant* at = nullptr;
    for (const Participant& one : facts_.participants) {
      if (one.agent && one.agent->branch && one.agent->branch->state != "ended") at = &one;
    }
    is("open: nobody has asked to commit it",
       "It has open branches, and the coordinator has never been asked to commit it. Its client is "
       "at "
       "work on it, or is gone.");
    for (const Participant& one : facts_.participants) {
      if (!one.agent || !one.agent->branch || one.agent->branch->state == "ended") continue;
      const Remembered& branch = *one.agent->branch;
      if (branch.idle_ends_in) {
        next(branch_name(branch.branch) +
             " is idle: unless its client goes on, it is rolled back in " +
             duration(*branch.idle_ends_in) + ".");
      } else if (branch.life_ends_in) {
        next(branch_name(branch.branch) + " runs a statement; it is rolled back in " +
             duration(*branch.life_ends_in) +
             " at the latest, unless it is asked to commit before.");
      }
    }
    if (at == nullptr) next("Its branches end at their deadlines.");
  }

  void finishing() {
    is("decided, and being carried out",
       "Its branches are being told; everybody whom it needs "
       "answers.");
    next("It is applied within moments.");
  }

  void refused() {
    const std::string reason = facts_.record ? facts_.record->reason.message : said_no();
    is("refused", reason.empty() ? "It was aborted." : "It was aborted: " + reason + ".");
    pending();
  }

  void one_phase() {
    is("committed in one phase",
       "Only one of its branches wrote, so that one was told to commit at once, and has. The proof "
       "is "
       "its outcome row; the log has no record of it.");
    pending();
  }

  void expired() {
    if (facts_.driven) {
      is("too old to commit: being rolled back",
         "A branch was found prepared whose transaction has no record and is older than outcomes "
         "are "
         "kept. Nobody can commit it any more.");
      return pending();
    }
    is("not known any more",
       "Its id was made " + duration(facts_.log->now - s_.made_at()) +
           " ago, which is longer than outcomes are kept (" + duration(retention()) +
           "), and nothing of it is prepared anywhere. If it was decided, it was "
           "also applied everywhere before its record left. Which way it went, only its data "
           "tell.");
  }

  void unknown() {
    if (facts_.log->now + Millis(60'000) < s_.made_at()) {
      is("from the future",
         "Its id says that it is made " + duration(s_.made_at() - facts_.log->now) +
             " from now; no request under it is let in. The clock of whoever made "
             "it is wrong, or the id is.");
      return;
    }
    is("unknown",
       "No replica, no agent and no database has anything of it. Either nothing was ever "
       "done under this id, or its branches had only read, or its agents have started anew "
       "since it ended without a decision. Nothing of it is held anywhere.");
  }

  // ── something was down ────────────────────────────────────────────────────────────────────────

  void client_gone() {
    is("rolled back: nobody asked to commit it",
       "Its client was lost, or never came to its commit: " + ended_because() +
           ". The coordinator has no record, so it has not committed; no lock is held.");
    next("Nothing. Should its client still ask to commit it, it hears ABORTED.");
  }

  void participant_down_before() {
    if (!facts_.record) {
      const commit::BranchView awaited = *s_.awaited_in_vain();
      const std::string& who = awaited.branch.participant;
      is("not decided: " + who + " does not vote",
         "The leader asks " + who + " to prepare, and hears nothing: " + s_.unreached(who) + ".");
      next("It is aborted" + deadline_words() + ", unless " + who +
           " votes before. Prepared branches keep their locks until then, and are rolled back at "
           "once "
           "after it.");
      bring_back(who);
      return;
    }
    is(facts_.record->reason.participant + " did not vote in time",
       "It was aborted: " + facts_.record->reason.message + ".");
    pending();
  }

  void participant_down_after() {
    const std::string who = s_.awaited_in_vain()->branch.participant;
    is("not applied everywhere: " + who + " has not heard it",
       "It is decided, for ever. " + who + " cannot be told: " + s_.unreached(who) + ".");
    pending();
  }

  void leader_lost_before() {
    if (facts_.record) {
      is("by recovery, for its leader was lost before the decision",
         "Its branch was found prepared, and nobody was committing it: the leader that had asked "
         "it "
         "to prepare was lost (or handed over) before the decision was in the log. The one that "
         "leads now has aborted it, through the log.");
      next(
          "Should its client repeat the commit, it hears ABORTED, and may run it again under a new "
          "id.");
      return pending();
    }
    is("prepared, and nobody is committing it",
       "The leader that had asked it to prepare was lost before the decision was in the log.");
    next(s_.below_floor()
             ? "It is rolled back: it is too old to commit. Recovery looks " +
                   std::string(kRecoveryLooks) + "."
             : "Unless its client repeats the commit first, the present leader aborts it: recovery "
               "looks " +
                   std::string(kRecoveryLooks) + ".");
  }

  void leader_lost_after() {
    const bool over = !facts_.driven;
    is(over ? "applied everywhere, by a later leader"
            : "decided, and carried out by a later leader",
       "It was decided under a leader that was lost (or handed over) before every branch had "
       "confirmed. "
       "The decision was in the log: the one that leads now " +
           std::string(over ? "has told" : "tells") +
           " every branch again, which changes nothing where "
           "it was done before.");
    pending();
  }

  void one_phase_unknown() {
    const std::string& who = facts_.driven->writer;
    is("not known yet: " + who + " may have committed it",
       "Only its branch at " + who +
           " wrote, so that one was told to commit at once, in one phase. "
           "Whether it has stands in an outcome row of that database, which does not answer: " +
           s_.unreached(who) + ". Its client hears OUTCOME_UNKNOWN, never a guess.");
    next("The leader asks again and again; the row decides as soon as " + who +
         " is back. Whoever repeats the commit then hears the outcome.");
    bring_back(who);
  }

  void no_leader() {
    is("not decided, and nobody can",
       "No replica of the coordinator leads: a majority of them does not "
       "run, or cannot reach each other.");
    until_somebody_leads();
    out_.needs_somebody = true;
  }

  // ── somebody has to see to it ─────────────────────────────────────────────────────────────────

  void ended_by_hand() {
    const bool committed = s_.heuristic_branch(FinishResult::kHeuristicCommit) != nullptr;
    const state::HeuristicBranch& one = *s_.heuristic_branch(
        committed ? FinishResult::kHeuristicCommit : FinishResult::kHeuristicRollback);
    const std::string& who = one.branch.participant;

    is(who + " was " + (committed ? "committed" : "rolled back") + " by hand",
       "Somebody who is not Assent has ended " + branch_name(one.branch) + " with " +
           (committed ? "COMMIT PREPARED" : "ROLLBACK PREPARED") +
           " against the decision. The log of PostgreSQL at " + who + " may tell who.");
    next("Nothing: all other branches ended as decided, and this one cannot be undone by Assent.");
    out_.commands.push_back({committed
                                 ? "take the transaction's effects at " + who + " back, by hand"
                                 : "make the transaction's changes at " + who + " again, by hand",
                             "so that " + who + " agrees with the other databases"});
    forget();
  }

  void history_lost() {
    const state::HeuristicBranch* const one = s_.heuristic_branch(FinishResult::kHazard);
    if (one == nullptr) {
      is("a database was promoted or restored in between", facts_.record->reason.message + ".");
      return pending();
    }
    const std::string& who = one->branch.participant;
    const bool listed = facts_.heuristic->listed > 0;
    if (!listed && one->branch.evidence == Evidence{}) return one_phase_lost(who);
    is("lost at " + who,
       "The database of " + who +
           " was replaced by one that lacks what it had acknowledged: a standby "
           "that lagged was promoted, or a backup was restored. The branch " +
           branch_name(one->branch) +
           " is gone with the lost history. The other databases have carried the outcome out.");
    next("Nothing: what is lost there cannot be brought back by Assent.");
    out_.commands.push_back({"compare the data at " + who +
                                 " with the other databases, and make the changes again by hand",
                             "its branch is the only one that is missing"});
    forget();
  }

  void one_phase_lost(const std::string& who) {
    is("not known: it may have committed in one phase at " + who + ", and been lost there",
       "The database of " + who +
           " was replaced by one that may lack what it had acknowledged, and "
           "has no trace of the transaction. Its client was told that the outcome is unknown.");
    next("Nothing: what is lost there cannot be brought back by Assent, and it never commits now.");
    command("compare the data at " + who + " with what its client believes",
            "only " + who + " had changes of it");
    forget();
  }

  void hazard() {
    const state::HeuristicBranch& one = *s_.heuristic_branch(FinishResult::kHazard);
    const std::string& who = one.branch.participant;
    const std::string branch = branch_name(one.branch);
    if (const std::string unreached = s_.unreached(who); !unreached.empty()) {
      is("nobody knows how it ended at " + who,
         "The branch " + branch +
             " had not confirmed the outcome when an operator gave its participant up as gone for "
             "good, or nothing there proved how it ended. Nobody can be asked now: " +
             unreached + ".");
      next("Should the agent of " + who +
           " come back with the branch still prepared, it ends as decided after all.");
    } else {
      is("nobody knows how it ended at " + who,
         "The branch " + branch +
             " is gone, and neither its xid nor its database's history proves how it ended.");
      next("Nothing.");
    }
    out_.commands.push_back({"compare the data at " + who + " with the other databases",
                             "it has the transaction's changes, or lacks them"});
    forget();
  }

  void restored() {
    is("nobody knows its outcome: the coordinator was restored from a backup",
       "It is of the time before the restore, and the backup has no record of it. The log that was "
       "lost "
       "may have committed or aborted it, and may have told somebody. So nothing is presumed: its "
       "branches stay prepared, with their locks.");
    operator_decides();
  }

  void undecidable() {
    is("nobody knows its outcome any more",
       "It is older than outcomes are kept, and its database was promoted or restored since: the "
       "branch "
       "may be one that was committed before, and is prepared again. So nothing is presumed: it "
       "stays prepared, with its locks.");
    operator_decides();
  }

  void operator_decides() {
    next("Nothing, until an operator decides.");
    for (const Participant& one : facts_.participants) {
      if (!s_.unreached(one.name).empty()) continue;
      const bool prepared = std::ranges::any_of(
          s_.ours(), [&](const Situation::Found& found) { return found.at == &one; });
      if (!prepared) continue;
      out_.commands.push_back(
          {"see in the databases other than " + one.name + ", and at the client, what became of it",
           "it committed in one of them: commit it; in none: abort it"});
    }
    command("assentctl resolve " + id() + " --commit", "shows what would be done; or --abort");
    out_.needs_somebody = true;
  }

  void resolved() {
    is("decided by an operator", facts_.heuristic && facts_.heuristic->resolution
                                     ? facts_.heuristic->resolution->operator_name +
                                           " has decided: " + facts_.heuristic->resolution->reason +
                                           "."
                                     : "An operator has decided it.");
    if (!facts_.heuristic) return pending();
    bool open = false;
    for (const state::HeuristicBranch& one : facts_.heuristic->branches) {
      if (one.result == FinishResult::kHazard) {
        open = true;
        ends_as_resolved(one.branch);
      }
    }
    if (open) return;
    next("Nothing: its branches have ended so. It is kept so that somebody sees it.");
    forget("");
  }

  void ends_as_resolved(const state::DecidedBranch& branch) {
    const std::string& who = branch.participant;
    if (s_.unreached(who).empty()) {
      return next(branch_name(branch) + " ends so within seconds.");
    }
    next(branch_name(branch) +
         " ends so as soon as its agent is back. Until then it keeps its slot and its locks.");
    bring_back(who);
  }

  void stranger() {
    const auto [at, one] = s_.strangers().front();
    is("not ours: somebody else has prepared a transaction under its name",
       "At " + at->name + " the role " + one->owner + " has prepared " + one->gid + ", " +
           (one->belonging == Belonging::kStranger ? "which is not the agent's role"
            : one->parsed && facts_.log && one->parsed->cluster != facts_.log->cluster
                ? "which is a name of cluster " + one->parsed->cluster
                : "which is not the branch that voted") +
           ". Assent leaves it alone, whatever it is called.");
    next("Nothing: it keeps its locks until it is ended.");
    end_foreign(*at, *one);
  }

  void foreign() {
    const auto found = s_.foreign();
    if (found.empty()) {
      is("not ours, and not prepared",
         "It is no whole id of a transaction, as assentctl transactions prints them, "
         "and no gid of Assent's, and no database that was asked has it prepared.");
      return;
    }
    const auto [at, one] = found.front();
    is("not ours", "The gid is none that Assent makes. The role " + one->owner +
                       " prepared it in database " + one->database + ", in the server of " +
                       at->name + ", " + duration(one->age) + " ago.");
    next("Nothing: it keeps its locks until it is ended.");
    end_foreign(*at, *one);
  }

  void end_foreign(const Participant& at, const Prepared& one) {
    out_.commands.push_back(
        {"ask whoever works as " + one.owner + " in " + one.database + " how it is to end",
         "only they know"});
    out_.commands.push_back({"ROLLBACK PREPARED '" + one.gid + "'",
                             "as " + one.owner + ", in database " + one.database + " of " +
                                 at.name + ", if nobody knows it: what it did is undone"});
    out_.needs_somebody = true;
  }

  void not_reached() {
    const std::string others =
        "Nobody who could be asked knows anything of it. Those who could not may have it prepared, "
        "or have committed it in one phase.";
    out_.needs_somebody = true;
    if (!s_.leads()) {
      is("not known: no replica leads",
         "No replica of the coordinator leads: a majority of them does not run, or cannot reach "
         "each "
         "other. Nothing is decided until one does. " +
             others);
      return until_somebody_leads();
    }
    is("not known: not everybody could be asked", others);
    next("Nothing that could be told from here.");
    for (const std::string& who : s_.all_unreached()) bring_back(who);
  }

  void until_somebody_leads() {
    next(
        "As soon as a majority of the replicas runs, one leads within a second, and every prepared "
        "branch is settled.");
    command("assentctl status --at HOST:PORT", "says which replicas answer; start the others");
  }
};

}  // namespace

Explanation explain(const Facts& facts) {
  return Writer(facts).write();
}

}  // namespace assent::explain
