#include "apps/grid/claims.h"

#include <algorithm>
#include <cmath>

#include "apps/report/html.h"

namespace tailseg {
namespace {

std::string percent(double value) { return fixed_text(100 * value, 1); }

std::string signed_percent(double value) { return (value >= 0 ? "+" : "") + percent(value); }

std::optional<MeanAndSpread> figure_of(const std::vector<CellResult>& results, const std::string& cell,
                                       const std::string& figure) {
  const auto found =
      std::find_if(results.begin(), results.end(), [&](const CellResult& result) { return result.cell->name == cell; });
  return found == results.end() ? std::nullopt : found->figure(figure);
}

JudgedClaim judge_gives_back(const GridClaim& claim, const MeanAndSpread& cell, const MeanAndSpread& than,
                             const std::optional<MeanAndSpread>& from) {
  JudgedClaim judged{&claim};
  if (!from) return judged;
  const double taken = from->mean - than.mean, given = cell.mean - than.mean;
  judged.verdict = (taken > 0 ? given > taken / 2 : given >= 0) ? Verdict::seen : Verdict::not_seen;
  judged.numbers = claim.figure + " " + percent(from->mean) + ", calibrated " + percent(than.mean) + ", then " +
                   percent(cell.mean) + ": ";
  judged.numbers += taken > 0 ? fixed_text(100 * given / taken, 0) + " % of what was taken" : "nothing was taken";
  return judged;
}

JudgedClaim judge_difference(const GridClaim& claim, const MeanAndSpread& cell, const MeanAndSpread& than) {
  JudgedClaim judged{&claim};
  const double difference = cell.mean - than.mean;
  const double spread = std::hypot(cell.spread.value_or(0), than.spread.value_or(0));
  const bool above = claim.kind == ClaimKind::above;
  const bool seen = above ? difference > spread : difference >= 0;
  const bool within = above ? difference > 0 : difference >= -spread;
  judged.verdict = seen ? Verdict::seen : within ? Verdict::within_spread : Verdict::not_seen;
  judged.numbers =
      claim.figure + " " + percent(cell.mean) + " against " + percent(than.mean) + ": " + signed_percent(difference);
  judged.numbers += cell.spread || than.spread ? ", spread " + percent(spread) : ", one seed";
  return judged;
}

}  // namespace

std::vector<JudgedClaim> judge(const Grid& grid, const std::vector<CellResult>& results) {
  std::vector<JudgedClaim> judged;
  for (const GridClaim& claim : grid.claims) {
    const auto cell = figure_of(results, claim.cell, claim.figure), than = figure_of(results, claim.than, claim.figure);
    if (!cell || !than) {
      judged.push_back({&claim});
    } else if (claim.kind == ClaimKind::gives_back) {
      judged.push_back(judge_gives_back(claim, *cell, *than, figure_of(results, claim.from, claim.figure)));
    } else {
      judged.push_back(judge_difference(claim, *cell, *than));
    }
  }
  return judged;
}

const char* verdict_text(Verdict verdict) {
  switch (verdict) {
    case Verdict::seen:
      return "seen";
    case Verdict::within_spread:
      return "within the spread";
    case Verdict::not_seen:
      return "NOT SEEN";
    case Verdict::missing:
      return "not run";
  }
  return "";
}

}  // namespace tailseg
