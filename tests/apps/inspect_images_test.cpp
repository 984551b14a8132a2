// tailseg-inspect on photos: those of tests/golden/images, whose sizes and kinds its README lists.
#include "apps/inspect_images.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tensor/error.h"
#include "tests/apps/workshop.h"

using namespace tailseg;
using Catch::Matchers::Contains;
namespace fs = std::filesystem;

namespace {

const fs::path kGolden = fs::path(TAILSEG_GOLDEN_DIR) / "images";

struct Photos {
  fs::path folder = fs::temp_directory_path() / ("tailseg_photos_" + std::to_string(::getpid()));
  Photos() {
    fs::create_directories(folder / "inner");
    for (const char* name : {"grey.png", "rgba.png", "orientation_6.jpg"}) fs::copy_file(kGolden / name, folder / name);
    std::ofstream(folder / "empty.jpg");
    std::ofstream(folder / "notes.txt") << "no photo";
    const std::string whole = test::contents(kGolden / "baseline.jpg");
    std::ofstream(folder / "cut.jpg", std::ios::binary) << whole.substr(0, whole.size() / 2);
  }
  ~Photos() { fs::remove_all(folder); }
};

}  // namespace

TEST_CASE("a folder of photos: counts, kinds, orientation, and each broken file by name") {
  const Photos photos;
  const PhotoReport report = inspect_photos(photos.folder.string());
  CHECK(report.photos == 3);
  CHECK(report.kinds ==
        std::map<std::string, int64_t>{{"JPEG, colour", 1}, {"PNG, four channels", 1}, {"PNG, grey", 1}});
  CHECK(report.orientations == std::map<int, int64_t>{{6, 1}});
  REQUIRE(report.problems.size() == 2);
  CHECK_THAT(report.problems[0].text, Contains("cut.jpg"));
  CHECK_THAT(report.problems[1].text, Contains("empty.jpg: the file is empty"));
  std::ostringstream out;
  print_photos(report, 1, out);
  CHECK_THAT(out.str(), Contains("3 can be read") && Contains("cut.jpg") && Contains("... 1 more"));
  CHECK_THAT(photos_json(report), Contains("\"photos\": 3") && Contains("empty.jpg"));
  CHECK_THROWS_WITH(inspect_photos((photos.folder / "inner").string()), Contains("holds no .jpg"));
}

TEST_CASE("the photos of an annotation file: missing, of another size, unnamed, by id") {
  const Photos photos;
  const AnnotationSet set = parse_annotations(R"({"annotations": [], "categories": [], "images": [
    {"id": 7, "width": 17, "height": 23, "file_name": "orientation_6.jpg"},
    {"id": 8, "width": 5, "height": 5, "file_name": "grey.png"},
    {"id": 9, "width": 5, "height": 5, "file_name": "absent.jpg"},
    {"id": 10, "width": 5, "height": 5}]})",
                                              "set.json");
  const PhotoReport report = inspect_photos_of(set, photos.folder.string());
  CHECK(report.photos == 2);
  REQUIRE(report.problems.size() == 3);
  CHECK((report.problems[0].image_id == 8 && report.problems[0].text.find("says 5 x 5") != std::string::npos));
  CHECK((report.problems[1].image_id == 9 && report.problems[1].text.find("no such file") != std::string::npos));
  CHECK(report.problems[2].image_id == 10);
}

TEST_CASE("the program: an annotation file, a folder, a photo, a run, a checkpoint") {
  test::Workshop shop;
  REQUIRE(shop.run(shop.train("run", {"--max-iters", "2"})) == 0);
  const auto says = [&](std::vector<std::string> words, const std::string& expected) {
    words.insert(words.begin(), "tailseg-inspect");
    CHECK(shop.run(words) == 0);
    CHECK_THAT(shop.said, Contains(expected));
  };
  const std::string train = shop.path("data/annotations/train.json");
  says({train}, "images         12");
  says({train, "--images", shop.path("data/images")}, "photos         12 can be read");
  says({shop.path("data/images/train")}, "photos         12 can be read");
  says({(kGolden / "rgb.png").string()}, "photos         1 can be read");
  for (const std::string& run : {shop.path("run"), shop.path("run/checkpoints"), shop.checkpoint("run", 2)}) {
    says({run}, "iter_0000002.safetensors: safetensors");
  }
  fs::remove(shop.root / "data/images/train/000000000003.jpg");
  says({train, "--images", shop.path("data/images")}, "image 3: ");
  CHECK(shop.run({"tailseg-inspect", shop.path("run"), "--images", shop.path("data")}) == 2);
  CHECK(shop.run({"tailseg-inspect", shop.path("data")}) == 1);  // holds no photo itself
}
