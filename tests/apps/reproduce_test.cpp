// apps/reproduce.sh with the real programs, on a handful of scenes and for two steps a run: what is made, what is not
// made again, and what goes on.
#include <sstream>

#include "apps/run/calibration_start.h"
#include "apps/run/trainer.h"
#include "tests/apps/workshop.h"

using namespace tailseg;
using namespace tailseg::test;

namespace {

std::string replaced(std::string text, const std::string& what, const std::string& with) {
  INFO(what);
  const size_t at = text.find(what);
  REQUIRE(at != std::string::npos);
  return text.replace(at, what.size(), with);
}

// A copy of apps/ whose grid is small, around the programs of this build.
struct SmallGrid : Workshop {
  fs::path repo = root / "repo", out = root / "grid";

  SmallGrid() {
    const fs::path source = TAILSEG_SOURCE_DIR "/apps", apps = repo / "apps";
    fs::create_directories(repo / "build");
    fs::create_directories(apps / "configs");
    fs::create_directory_symlink(kPrograms, repo / "build/bin");
    fs::copy(source / "configs/reproduce", apps / "configs/reproduce", fs::copy_options::recursive);
    fs::copy(root / "tiny.toml", apps / "configs/demo.toml");
    write("apps/build.sh", "exit 0\n");  // they are built
    std::string script = contents(source / "reproduce.sh");
    script = replaced(script, "--images 3000 --val-images 500 --classes 100 --range 250",
                      "--images 12 --val-images 4 --classes 4 --range 3 --size 64x64");
    script = replaced(script, "max_iters=1200", "max_iters=2 --set calibration.solver.ims_per_batch=2");
    script = replaced(script, "[800,1100]", "[1]");
    script = replaced(script, "boundaries=[8,36,200]", "boundaries=[]");
    write("apps/reproduce.sh", script);
    const std::string bags = contents(source / "configs/reproduce/bags.toml");
    write("apps/configs/reproduce/bags.toml", replaced(bags, "[8, 36, 200]", "[]"));
    write("apps/configs/reproduce/base.toml", "base = \"../demo.toml\"\n[solver]\nmax_iters = 2\nsteps = [1]\n");
    const std::string simcal = contents(source / "configs/reproduce/simcal.toml");
    write("apps/configs/reproduce/simcal.toml",
          replaced(replaced(simcal, "max_iters = 1200", "max_iters = 2\nims_per_batch = 2"), "[800, 1100]", "[1]"));
  }
  void write(const std::string& file, const std::string& text) const { std::ofstream(repo / file) << text; }
  int reproduce(std::vector<std::string> more = {"--quick"}) {
    std::vector<std::string> words{"/bin/bash", (repo / "apps/reproduce.sh").string(), "--device", "cpu", "--output",
                                   out.string()};
    words.insert(words.end(), more.begin(), more.end());
    const int code = wait_for(start(words, root / "said"));
    said = contents(root / "said");
    return code;
  }
  bool says(const std::string& words) const { return said.find(words) != std::string::npos; }
  fs::file_time_type made(const std::string& cell) const {
    return fs::last_write_time(out / "runs" / cell / "seed1/evaluation/metrics.json");
  }
};

}  // namespace

TEST_CASE("reproduce.sh stops with its error, goes on where it was, and makes anew what is out of date") {
  SmallGrid grid;
  grid.write("apps/configs/reproduce/seesaw.toml", "base = \"base.toml\"\nmodel.nonsense = 1\n");
  REQUIRE(grid.reproduce() == 1);
  INFO(grid.said);
  CHECK(grid.says("model.nonsense"));
  CHECK(grid.says("stopped; the same command goes on where it was"));
  CHECK_FALSE(fs::exists(grid.out / "table.json"));
  const auto ce = grid.made("ce"), of_rfs = grid.made("rfs");

  fs::copy(TAILSEG_SOURCE_DIR "/apps/configs/reproduce/seesaw.toml", grid.repo / "apps/configs/reproduce/seesaw.toml",
           fs::copy_options::overwrite_existing);
  REQUIRE(grid.reproduce() == 0);
  CHECK(grid.made("ce") == ce);
  CHECK(grid.made("rfs") == of_rfs);
  CHECK_FALSE(grid.says("reproduce: ce, seed1"));
  for (const char* cell : {"seesaw", "gol", "simcal", "simcal_dual"}) {
    CHECK(grid.says(std::string("reproduce: ") + cell + ", seed1, 0 min"));
  }
  const std::string table = contents(grid.out / "table.json");
  CHECK(table.find("\"cell\": \"simcal_dual\"") != std::string::npos);
  CHECK(contents(grid.out / "report.html").find("id=\"claims\"") != std::string::npos);
  CHECK(grid.says("seen, one seed") + grid.says("NOT SEEN") > 0);

  // A run that was interrupted goes on; one whose config has changed, and what stands on it, is made anew.
  fs::remove(grid.out / "runs/gol/seed1/done");
  grid.write("apps/configs/reproduce/simcal.toml", contents(grid.repo / "apps/configs/reproduce/simcal.toml") + "\n");
  const auto seesaw = grid.made("seesaw");
  REQUIRE(grid.reproduce() == 0);
  CHECK(grid.says("resumed from"));
  for (const char* cell : {"simcal", "simcal_dual"}) {
    CHECK(grid.says(std::string(cell) + ", seed1 was made by other programs, configs or data; it is made anew"));
  }
  CHECK(grid.made("seesaw") == seesaw);
  CHECK(grid.made("ce") == ce);

  // What is not this script's stays.
  fs::remove(grid.out / "runs/ce/seed1/inputs");
  fs::remove(grid.out / "runs/ce/seed1/done");
  fs::remove_all(grid.out / "runs/ce/seed1/checkpoints");
  REQUIRE(grid.reproduce() == 1);
  CHECK(grid.says("is not of this script; move it away"));
  CHECK(fs::exists(grid.out / "runs/ce/seed1/evaluation/metrics.json"));
  CHECK(grid.reproduce({"--quick", "--seeds", "2"}) == 2);
  CHECK(grid.reproduce({"--quick", "--all"}) == 2);
}

// In this process, so that all of them share the convolution library's compiled code.
TEST_CASE("every other method of reproduce.sh --all trains, calibrates and has its row in the table") {
  SmallGrid grid;
  REQUIRE(grid.reproduce({"--list"}) == 0);
  std::istringstream lines(grid.said);
  const std::string table = contents(grid.repo / "apps/configs/reproduce/all.json");
  const std::string file = (grid.repo / "apps/configs/reproduce/ce.toml").string();
  std::vector<std::string> given{"data.root=" + grid.path("data"), "train.device=cpu"};
  std::vector<std::string> plain = given;
  plain.push_back("output=" + grid.path("detector"));
  REQUIRE(train(load_config(file, plain), {}) == TrainEnd::finished);
  int methods = 0;
  for (std::string line; std::getline(lines, line); ++methods) {
    std::istringstream words(line);
    std::string cell;
    words >> cell;
    INFO(line);
    CHECK(table.find("\"cell\": \"" + cell + "\"") != std::string::npos);
    std::vector<std::string> settings = given;
    for (std::string word; words >> word;) settings.push_back(word);
    TrainOptions options;
    if (settings.back().find("calibration.") == std::string::npos) {
      settings.push_back("output=" + grid.path(cell));
      REQUIRE(train(load_config(file, settings), options) == TrainEnd::finished);
    } else {
      options.detector = grid.path("detector");
      if (cell != "tau") {  // trains nothing
        settings.insert(settings.end(), {"calibration.solver.max_iters=2", "calibration.solver.ims_per_batch=2",
                                         "calibration.solver.reference_batch=2", "calibration.solver.steps=[1]"});
      }
      Config config = calibration_start(options.detector, settings).config;
      config.output = grid.path(cell);
      REQUIRE(train(config, options) == TrainEnd::finished);
    }
    REQUIRE(contents(grid.root / cell / "evaluation/metrics.json").find("\"AP\"") != std::string::npos);
    fs::remove_all(grid.root / cell);
  }
  CHECK(methods == 26);
}
