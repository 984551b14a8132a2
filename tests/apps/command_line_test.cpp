// The programs as a user runs them: exit codes, one error line, help with an example.
#include <sys/wait.h>
#include <catch2/catch.hpp>

#include <unistd.h>
#include <array>
#include <cstdio>

#include <algorithm>
#include <filesystem>
#include <fstream>

using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

namespace {

struct Ran {
  int code;
  std::string out, err;
};

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// `before`: what stands before the program's name, "env ..." .
Ran run(const std::string& arguments, std::string standard_output = "", const std::string& before = "") {
  const auto folder = std::filesystem::temp_directory_path() / ("tailseg_command_" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  const std::string out = (folder / "out").string(), err = (folder / "err").string();
  if (standard_output.empty()) standard_output = out;
  const std::string line =
      before + std::string(TAILSEG_BINARY_DIR) + "/bin/" + arguments + " >" + standard_output + " 2>" + err;
  const int status = std::system(line.c_str());
  const Ran result{WIFEXITED(status) ? WEXITSTATUS(status) : -1, read(out), read(err)};
  std::filesystem::remove_all(folder);
  return result;
}

const std::string kSample = std::string(TAILSEG_GOLDEN_DIR) + "/evaluation/lvis_v05_val100/";

}  // namespace

TEST_CASE("help has an example, version a number, both end with 0") {
  for (const std::string program : {"tailseg-evaluate", "tailseg-inspect", "tailseg-train", "tailseg-predict",
                                    "tailseg-import", "tailseg-profile", "tailseg-make-dataset", "tailseg-report"}) {
    const Ran help = run(program + " --help");
    REQUIRE(help.code == 0);
    REQUIRE_THAT(help.out, Contains("Example:\n  " + program));
    REQUIRE(help.err.empty());
    const Ran version = run(program + " --version");
    REQUIRE(version.code == 0);
    REQUIRE_THAT(version.out, StartsWith(program + " "));
  }
}

TEST_CASE("wrong usage ends with 2 and one line") {
  const std::string evaluate = "tailseg-evaluate --annotations a --results r ",
                    make = "tailseg-make-dataset --output o ";
  for (const std::string& arguments :
       {std::string("tailseg-evaluate"),
        std::string("tailseg-inspect a b"),
        std::string("tailseg-evaluate --protocol voc"),
        std::string("tailseg-inspect --nonsense x.json"),
        std::string("tailseg-inspect --limit -1 x.json"),
        std::string("tailseg-inspect ''"),
        std::string("tailseg-predict --checkpoint c --output '' p.jpg"),
        std::string("tailseg-predict --checkpoint c --output o --score-threshold nan p.jpg"),
        std::string("tailseg-import w.pth --output ''"),
        std::string("tailseg-train --config c --seed -1"),
        std::string("tailseg-train --config c --max-iters 99999999999999999999"),
        std::string("tailseg-profile --rows 0"),
        std::string("tailseg-report"),
        std::string("tailseg-report run --output ''"),
        evaluate + "--output ''",
        evaluate + "--threads 1000000",
        evaluate + "--bins -1 2 3",
        evaluate + "--bins 3 2 1",
        evaluate + "--checkpoint c",
        evaluate + "--images i",
        evaluate + "--pictures 3",
        evaluate + "--device cpu",
        evaluate + "--set a=b",
        evaluate + "--data-root d",
        make + "--images 99999999999999999999",
        make + "--images 1 --seed -1",
        make + "--images 1 --power nan",
        make + "--images 1 --rotation nan",
        make + "--images 1 --threads 100000",
        make + "--images 1 --font f",
        make + "--images 1 --categories c --classes 3",
        make + "--images 1 --power 1 --range 2"}) {
    const Ran ran = run(arguments);
    INFO(arguments << ": " << ran.err);
    REQUIRE(ran.code == 2);
    REQUIRE_THAT(ran.err, StartsWith("error: "));
    REQUIRE(std::count(ran.err.begin(), ran.err.end(), '\n') == 1);
    REQUIRE(ran.err.size() < 200);
    REQUIRE(ran.out.empty());
  }
}

TEST_CASE("failed work ends with 1 and one line that names the file") {
  const Ran missing = run("tailseg-inspect /no/such/file.json");
  REQUIRE(missing.code == 1);
  REQUIRE(missing.err == "error: /no/such/file.json: cannot be opened: No such file or directory\n");
  const Ran swapped = run("tailseg-evaluate --annotations " + kSample + "bbox.json --results " + kSample + "bbox.json");
  REQUIRE(swapped.code == 1);
  REQUIRE_THAT(swapped.err, Contains("bbox.json: byte 1: expected an object with images, annotations and categories (a "
                                     "list is a result file), got a list"));
  REQUIRE(std::count(swapped.err.begin(), swapped.err.end(), '\n') == 1);
}

TEST_CASE("a file that may not grow any further is an error that names it") {
  const auto folder = std::filesystem::temp_directory_path() / ("tailseg_limit_" + std::to_string(::getpid()));
  const Ran ran = run(
      "tailseg-make-dataset --images 4 --val-images 1 --size 64x64 --classes 3 --range 2 --output " + folder.string(),
      "", "ulimit -f 1; ");
  std::filesystem::remove_all(folder);
  REQUIRE(ran.code == 1);
  REQUIRE_THAT(ran.err, StartsWith("error: ") && Contains(folder.string()));
}

TEST_CASE("a result that cannot be printed is a failure") {
  const Ran full = run("tailseg-inspect " + kSample + "annotations.json --json", "/dev/full");
  REQUIRE(full.code == 1);
  REQUIRE(full.err == "error: standard output could not be written\n");
}

TEST_CASE("threads that wait spin for a short time, unless the user says otherwise") {
  const std::string clean = "env -u OMP_WAIT_POLICY -u GOMP_SPINCOUNT OMP_DISPLAY_ENV=VERBOSE ";
  const std::string work = "tailseg-inspect " + kSample + "annotations.json";
  const Ran ran = run(work, "", clean);
  REQUIRE(ran.code == 0);
  if (ran.err.find("OPENMP DISPLAY") == std::string::npos) {
    WARN("skipped: a build without OpenMP");
    return;
  }
  const size_t last = ran.err.rfind("GOMP_SPINCOUNT");  // of the second beginning
  REQUIRE(last != std::string::npos);
  CHECK(ran.err.substr(last, 23) == "GOMP_SPINCOUNT = '1000'");
  const Ran asked = run(work, "", clean + "GOMP_SPINCOUNT=77 ");
  CHECK_THAT(asked.err, Contains("GOMP_SPINCOUNT = '77'") && !Contains("'1000'"));
}

TEST_CASE("work that is done ends with 0, figures on standard output") {
  const Ran ran =
      run("tailseg-evaluate --annotations " + kSample + "annotations.json --results " + kSample + "bbox.json");
  REQUIRE(ran.code == 0);
  REQUIRE_THAT(ran.out, Contains("catIds=all] = 0.503"));
  REQUIRE(ran.err.empty());
}
