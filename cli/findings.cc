#include "cli/findings.h"

#include <nlohmann/json.hpp>

#include "cli/words.h"

namespace assent::cli {

const char* word(wire::Verdict::type verdict) {
  static constexpr Word<wire::Verdict::type> kWords[] = {{wire::Verdict::GOOD, "good"},
                                                         {wire::Verdict::WARNING, "warning"},
                                                         {wire::Verdict::FAILURE, "failure"}};
  return word_in(kWords, verdict, "failure");
}

Tone tone_of(wire::Verdict::type verdict) {
  if (verdict == wire::Verdict::GOOD) return Tone::kGood;
  return verdict == wire::Verdict::WARNING ? Tone::kWarning : Tone::kBad;
}

nlohmann::json as_json(const wire::Finding& finding) {
  return {{"check", finding.check},
          {"verdict", word(finding.verdict)},
          {"found", finding.found},
          {"remedy", finding.__isset.remedy ? nlohmann::json(finding.remedy) : nlohmann::json()}};
}

}  // namespace assent::cli
