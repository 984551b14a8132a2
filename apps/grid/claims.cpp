#include "apps/grid/claims.h"

#include <algorithm>
#include <cmath>

#include "apps/report/html.h"

namespace tailseg {
namespace {

std::string percent(double value) { return fixed_text(100 * value, 1); }

std::string signed_percent(double value) { return (value >= 0 ? "+" : "") + percent(value); }

const CellResult* result_of(const std::vector<CellResult>& results, const std::string& cell) {
  const auto found =
      std::find_if(results.begin(), results.end(), [&](const CellResult& result) { return result.cell->name == cell; });
  return found == results.end() ? nullptr : &*found;
}

std::string spread_text(const std::optional<double>& spread) {
  return spread ? ", spread " + percent(*spread) : ", one seed";
}

// Of a - b, over the seeds that both have. Nothing when there are none.
std::optional<MeanAndSpread> seedwise(const CellResult& a, const CellResult& b, const std::string& figure) {
  const auto of_a = a.by_seed.find(figure), of_b = b.by_seed.find(figure);
  if (of_a == a.by_seed.end() || of_b == b.by_seed.end()) return std::nullopt;
  std::vector<double> differences;
  for (const auto& [seed, value] : of_a->second) {
    const auto other = of_b->second.find(seed);
    if (other != of_b->second.end()) differences.push_back(value - other->second);
  }
  return differences.empty() ? std::nullopt : std::optional(mean_and_spread(differences));
}

JudgedClaim judge_gives_back(const GridClaim& claim, const CellResult& cell, const CellResult& than,
                             const CellResult& from) {
  JudgedClaim judged{&claim};
  const auto taken = seedwise(from, than, claim.figure), given = seedwise(cell, than, claim.figure);
  if (!taken || !given) return judged;
  const auto mean = [&](const CellResult& of) { return percent(of.figure(claim.figure)->mean); };
  judged.numbers = claim.figure + " " + mean(from) + ", calibrated " + mean(than) + ", then " + mean(cell) + ": ";
  if (taken->mean <= taken->spread.value_or(0)) {
    judged.verdict = Verdict::nothing_taken;
    judged.numbers += "taken " + signed_percent(taken->mean) + spread_text(taken->spread);
    return judged;
  }
  const Verdict seen = taken->spread ? Verdict::seen : Verdict::seen_once;
  judged.verdict = given->mean > taken->mean / 2 ? seen : Verdict::not_seen;
  judged.numbers += fixed_text(100 * given->mean / taken->mean, 0) + " % of what was taken (" + percent(taken->mean) +
                    spread_text(taken->spread) + ")";
  return judged;
}

JudgedClaim judge_difference(const GridClaim& claim, const MeanAndSpread& cell, const MeanAndSpread& than) {
  JudgedClaim judged{&claim};
  const double difference = cell.mean - than.mean;
  const bool repeated = cell.spread || than.spread;
  const double spread = std::hypot(cell.spread.value_or(0), than.spread.value_or(0));
  const bool above = claim.kind == ClaimKind::above;
  const bool seen = above ? difference > spread : difference >= 0;
  const bool within = above ? difference > 0 : difference >= -spread;
  judged.verdict =
      seen ? (repeated ? Verdict::seen : Verdict::seen_once) : (within ? Verdict::within_spread : Verdict::not_seen);
  judged.numbers =
      claim.figure + " " + percent(cell.mean) + " against " + percent(than.mean) + ": " + signed_percent(difference);
  judged.numbers += spread_text(repeated ? std::optional(spread) : std::nullopt);
  return judged;
}

}  // namespace

std::vector<JudgedClaim> judge(const Grid& grid, const std::vector<CellResult>& results) {
  std::vector<JudgedClaim> judged;
  for (const GridClaim& claim : grid.claims) {
    const CellResult *cell = result_of(results, claim.cell), *than = result_of(results, claim.than);
    const CellResult* from = result_of(results, claim.from);
    if (claim.kind == ClaimKind::gives_back && cell && than && from) {
      judged.push_back(judge_gives_back(claim, *cell, *than, *from));
    } else if (cell && than && cell->figure(claim.figure) && than->figure(claim.figure)) {
      judged.push_back(judge_difference(claim, *cell->figure(claim.figure), *than->figure(claim.figure)));
    } else {
      judged.push_back({&claim});
    }
  }
  return judged;
}

const char* verdict_text(Verdict verdict) {
  switch (verdict) {
    case Verdict::seen:
      return "seen";
    case Verdict::seen_once:
      return "seen, one seed";
    case Verdict::within_spread:
      return "within the spread";
    case Verdict::nothing_taken:
      return "nothing was taken";
    case Verdict::not_seen:
      return "NOT SEEN";
    case Verdict::missing:
      return "not run";
  }
  return "";
}

}  // namespace tailseg
