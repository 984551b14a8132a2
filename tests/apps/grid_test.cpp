// A grid of runs: means and spreads worked out by hand, the claims' verdicts on both sides of every border, and what is
// refused.
#include "apps/grid/grid.h"

#include <rapidjson/document.h>

#include <algorithm>

#include "apps/grid/tables.h"
#include "tests/apps/report_page.h"

using namespace tailseg;
using namespace tailseg::test;

namespace {

constexpr const char* kGrid = R"({"cells":[
 {"cell":"ce","method":"Cross-entropy","config":"ce.toml","published":{"row":"table 1","AP":20.6,"APr":0.8}},
 {"cell":"see<saw","method":"See<saw","config":"seesaw.toml"},
 {"cell":"late","method":"Not run","config":"late.toml"}],
 "claims":[
 {"text":"rare classes gain","kind":"above","figure":"APr","cell":"see<saw","than":"ce"},
 {"text":"frequent classes gain","kind":"above","figure":"APf","cell":"see<saw","than":"ce"},
 {"text":"frequent classes do not lose","kind":"not_below","figure":"APf","cell":"see<saw","than":"ce"},
 {"text":"given back","kind":"gives_back","figure":"APr","cell":"ce","than":"ce","from":"see<saw"},
 {"text":"who knows","kind":"above","figure":"AP","cell":"late","than":"ce"}]})";

Grid grid_of(const Folder& folder, const std::string& text = kGrid) {
  folder.write("grid.json", text);
  return read_grid(folder / "grid.json");
}

std::string refused_grid(const std::string& text) {
  const Folder folder;
  try {
    grid_of(folder, text);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

std::string replaced(std::string text, const std::string& what, const std::string& with) {
  REQUIRE(has(text, what));
  return text.replace(text.find(what), what.size(), with);
}

// APr and APf of two seeds for "ce", of one for "see<saw" unless a second is asked for.
void write_runs(const Folder& folder) {
  folder.write("runs/ce/seed1/evaluation/metrics.json", metrics(0.10, 0.50));
  folder.write("runs/ce/seed10/evaluation/metrics.json", metrics(0.14, 0.44));
  folder.write("runs/ce/seed2/checkpoints/last", "");  // has not been evaluated
  for (const char* other : {"seedling", "seed01", "seed-1"}) {
    folder.write(std::string("runs/ce/") + other + "/evaluation/metrics.json", metrics(0.9, 0.9));
  }
  folder.write("runs/see<saw/seed1/evaluation/metrics.json", metrics(0.30, 0.46));
}

}  // namespace

TEST_CASE("figures are means over the seeds with the sample's spread") {
  const Folder folder;
  write_runs(folder);
  const Grid grid = grid_of(folder);
  const std::vector<CellResult> results = read_results(grid, folder / "runs");
  REQUIRE(results.size() == 3);
  REQUIRE(results[0].seeds == std::vector<int64_t>{1, 10});
  REQUIRE(results[0].figure("APr")->mean == Approx(0.12));
  REQUIRE(*results[0].figure("APr")->spread == Approx(0.04 / std::sqrt(2.0)));  // of 0.10 and 0.14
  REQUIRE(results[0].figure("AP")->mean == Approx(0.295));                      // of 0.30 and 0.29
  REQUIRE(results[0].figure("box_AP")->mean == Approx(0.333));
  REQUIRE(!results[0].figure("APc"));  // -1 in every run
  REQUIRE(!results[1].figure("APr")->spread);
  REQUIRE(results[2].seeds.empty());
  const ReportClass* yak = results[0].mean.find(7, "yak");
  REQUIRE(yak);
  REQUIRE(yak->ap.at("segm") == Approx(0.12));
  REQUIRE(mean_and_spread({1, 2, 6}).mean == Approx(3));
  REQUIRE(*mean_and_spread({1, 2, 6}).spread == Approx(std::sqrt(7.0)));  // (4 + 1 + 9) / 2
}

TEST_CASE("claims are judged against the spread") {
  const Folder folder;
  write_runs(folder);
  const Grid grid = grid_of(folder);
  auto verdicts = [&] {
    std::vector<Verdict> found;
    for (const JudgedClaim& judged : judge(grid, read_results(grid, folder / "runs"))) found.push_back(judged.verdict);
    return found;
  };
  // APr 30 against 12, spread 2.8. APf 46 against 47, spread 4.2. Back from 30 to 12 to 12: nothing of 18.
  REQUIRE(verdicts() == std::vector<Verdict>{Verdict::seen, Verdict::not_seen, Verdict::within_spread,
                                             Verdict::not_seen, Verdict::missing});
  folder.write("runs/see<saw/seed1/evaluation/metrics.json", metrics(0.145, 0.48));
  // APr 14.5 against 12: within 2.8. APf 48 against 47.
  REQUIRE(verdicts() == std::vector<Verdict>{Verdict::within_spread, Verdict::within_spread, Verdict::seen,
                                             Verdict::not_seen, Verdict::missing});
  folder.write("runs/see<saw/seed1/evaluation/metrics.json", metrics(0.09, 0.40));
  // APf 40 against 47 is below by more than 4.2; APr was 9 before, and is 10 in that seed: nothing was taken.
  REQUIRE(verdicts() == std::vector<Verdict>{Verdict::not_seen, Verdict::not_seen, Verdict::not_seen,
                                             Verdict::nothing_taken, Verdict::missing});
}

TEST_CASE("without a second seed there is no spread, and the verdict says so") {
  const Folder folder;
  folder.write("runs/ce/seed1/evaluation/metrics.json", metrics(0.10, 0.50));
  folder.write("runs/see<saw/seed1/evaluation/metrics.json", metrics(0.12, 0.49));
  const Grid grid = grid_of(folder);
  const auto judged = judge(grid, read_results(grid, folder / "runs"));
  REQUIRE(judged[0].verdict == Verdict::seen_once);
  REQUIRE(judged[0].numbers == "APr 12.0 against 10.0: +2.0, one seed");
  REQUIRE(judged[1].verdict == Verdict::not_seen);
}

TEST_CASE("more than half of what calibration took is most of it") {
  const Folder folder;
  for (const auto& [cell, value] : {std::pair{"ce", 0.60}, {"cal", 0.40}, {"dual", 0.51}}) {
    folder.write(std::string("runs/") + cell + "/seed0/evaluation/metrics.json", metrics(0.1, value));
  }
  const std::string text = R"({"cells":[{"cell":"ce","method":"","config":""},{"cell":"cal","method":"","config":""},
    {"cell":"dual","method":"","config":""}],"claims":[{"text":"","kind":"gives_back","figure":"APf","cell":"dual",
    "than":"cal","from":"ce"}]})";
  const Grid grid = grid_of(folder, text);
  auto judged = judge(grid, read_results(grid, folder / "runs"));
  REQUIRE(judged[0].verdict == Verdict::seen_once);
  REQUIRE(judged[0].numbers == "APf 60.0, calibrated 40.0, then 51.0: 55 % of what was taken (20.0, one seed)");
  folder.write("runs/dual/seed0/evaluation/metrics.json", metrics(0.1, 0.49));
  judged = judge(grid, read_results(grid, folder / "runs"));
  REQUIRE(judged[0].verdict == Verdict::not_seen);

  // A second seed whose detector is worse by 20: what was taken is 20 and 18, whatever the detectors' spread.
  for (const auto& [cell, value] : {std::pair{"ce", 0.40}, {"cal", 0.22}, {"dual", 0.35}}) {
    folder.write(std::string("runs/") + cell + "/seed1/evaluation/metrics.json", metrics(0.1, value));
  }
  judged = judge(grid, read_results(grid, folder / "runs"));
  REQUIRE(judged[0].verdict == Verdict::seen);  // given: 9 and 13, mean 11, of 19
  REQUIRE(judged[0].numbers == "APf 50.0, calibrated 31.0, then 42.0: 58 % of what was taken (19.0, spread 1.4)");
  folder.write("runs/cal/seed1/evaluation/metrics.json", metrics(0.1, 0.50));  // taken: 20 and -10
  judged = judge(grid, read_results(grid, folder / "runs"));
  REQUIRE(judged[0].verdict == Verdict::nothing_taken);
  REQUIRE(judged[0].numbers == "APf 50.0, calibrated 45.0, then 42.0: taken +5.0, spread 21.2");
}

TEST_CASE("the table as text, as JSON and on the page") {
  const Folder folder;
  write_runs(folder);
  const Grid grid = grid_of(folder);
  const std::vector<CellResult> results = read_results(grid, folder / "runs");
  const std::string text = grid_text(grid, results);
  REQUIRE(has(text, "12.0 +- 2.8"));
  REQUIRE(has(text, "0.8"));
  REQUIRE(has(text, "table 1"));
  REQUIRE(has(text, "1 rare, 1 common, 1 frequent classes; "));  // yak with 10, elk with none, cat with 1000 instances
  REQUIRE(has(text, "training instances: 0, 1, 0, 1\n"));
  REQUIRE(has(text, "seen               rare classes gain (APr 30.0 against 12.0: +18.0, spread 2.8)"));
  REQUIRE(has(text, "not run            who knows\n"));

  rapidjson::Document json;
  json.Parse(grid_json(results).c_str());
  REQUIRE(json.IsArray());
  REQUIRE(json.Size() == 3);
  REQUIRE(json[0]["method"].GetString() == std::string("Cross-entropy"));
  REQUIRE(json[0]["config"].GetString() == std::string("ce.toml"));
  REQUIRE(json[0]["seeds"].Size() == 2);
  REQUIRE(json[0]["seeds"][1].GetInt() == 10);
  REQUIRE(json[0]["APr"]["mean"].GetDouble() == Approx(0.12));
  REQUIRE(json[0]["APr"]["spread"].GetDouble() == Approx(0.04 / std::sqrt(2.0)));
  REQUIRE(json[0]["published"]["AP"].GetDouble() == Approx(0.206));
  REQUIRE(json[1]["APr"]["spread"].IsNull());
  REQUIRE(!json[0].HasMember("APc"));
  REQUIRE(json[2]["seeds"].Size() == 0);

  std::vector<ReportRun> runs{results[0].mean, results[1].mean};
  const std::string html = report_html(runs, grid_section(grid, results));
  const auto rows = table(html, "grid-table");
  REQUIRE(rows[1][0] == "Cross-entropy");
  REQUIRE(rows[1][3] == "12.0 &plusmn; 2.8");
  REQUIRE(rows[2][0] == "See&lt;saw");
  REQUIRE(has(html, "<tr class=\"published\"><td>published, on LVIS</td><td></td><td>20.6</td><td>0.8</td>"));
  REQUIRE(table(html, "claim-table")[1][1] == "seen");
  REQUIRE(has(chart(html, "APr"), "class=\"whisker\""));
  REQUIRE(html.find("id=\"grid\"") < html.find("id=\"ap\""));
  REQUIRE(!has(html, "See<saw"));
}

TEST_CASE("a grid file that is wrong is refused by name") {
  REQUIRE(has(refused_grid("{"), "grid.json: malformed JSON at byte"));
  REQUIRE(has(refused_grid("[]"), "expected an object"));
  REQUIRE(has(refused_grid(R"({"cells":[],"claims":[]})"), "has no cells"));
  REQUIRE(has(refused_grid(replaced(kGrid, "\"late\",\"method\"", "\"ce\",\"method\"")), "a second cell 'ce'"));
  REQUIRE(has(refused_grid(replaced(kGrid, "\"late\",\"method\"", "\"../x\",\"method\"")), "not the name of a folder"));
  REQUIRE(has(refused_grid(replaced(kGrid, "\"AP\":20.6", "\"APx\":20.6")), "cells[0]: published: 'APx'"));
  REQUIRE(has(refused_grid(replaced(kGrid, "\"AP\":20.6", "\"AP\":206")), "expected a percentage"));
  REQUIRE(has(refused_grid(replaced(kGrid, "\"kind\":\"above\"", "\"kind\":\"over\"")), "claims[0]: kind 'over'"));
  REQUIRE(has(refused_grid(replaced(kGrid, "\"than\":\"ce\"", "\"than\":\"eql\"")), "claims[0]: than is 'eql'"));
  REQUIRE(has(refused_grid(replaced(kGrid, "\"figure\":\"APr\"", "\"figure\":\"FPS\"")), "'FPS' is no figure"));
}

TEST_CASE("runs that do not belong to the grid are refused") {
  const Folder folder;
  const Grid grid = grid_of(folder);
  auto refused = [&](const std::string& runs) -> std::string {
    try {
      read_results(grid, runs);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  REQUIRE(has(refused(folder / "runs"), "no such folder"));
  folder.write("runs/other/seed1/evaluation/metrics.json", metrics(0.1, 0.2));
  REQUIRE(has(refused(folder / "runs"), "has no evaluated run of this grid"));
  write_runs(folder);
  folder.write("runs/ce/seed10/evaluation/metrics.json", replaced(metrics(0.1, 0.2), "\"yak\"", "\"gnu\""));
  REQUIRE_THAT(refused(folder / "runs"), Catch::Contains("the category has two names"));
  write_runs(folder);
  folder.write("runs/see<saw/seed1/evaluation/metrics.json",
               replaced(metrics(0.1, 0.2), "\"9\":{\"name\":\"elk\"", "\"8\":{\"name\":\"elk\""));
  REQUIRE_THAT(refused(folder / "runs"), Catch::Contains("has other classes than"));
}

TEST_CASE("the published grid names configs that are there, and every claim of the long tail is in it") {
  const Grid grid = read_grid(TAILSEG_SOURCE_DIR "/apps/configs/reproduce/grid.json");
  REQUIRE(grid.cells.size() >= 9);
  for (const GridCell& cell : grid.cells) {
    INFO(cell.name);
    REQUIRE(fs::exists(TAILSEG_SOURCE_DIR "/" + cell.config));
    REQUIRE(cell.published.count("APr") == 1);
  }
  const Grid all = read_grid(TAILSEG_SOURCE_DIR "/apps/configs/reproduce/all.json");
  REQUIRE(all.cells.size() == grid.cells.size() + 26);
  for (const GridCell& cell : grid.cells) {
    INFO(cell.name);
    REQUIRE(all.find(cell.name));
    REQUIRE(all.find(cell.name)->published == cell.published);
  }
  for (const char* method : {"rfs", "seesaw", "gol", "simcal_dual"}) {
    INFO(method);
    const auto lifts = [&](const GridClaim& claim) {
      return claim.cell == method && claim.than == "ce" && claim.kind == ClaimKind::above && claim.figure == "APr";
    };
    REQUIRE(std::any_of(grid.claims.begin(), grid.claims.end(), lifts));
  }
}
