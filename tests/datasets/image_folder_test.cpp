#include "datasets/image_folder.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "datasets/loader.h"
#include "tensor/error.h"

using namespace tailseg;
using Catch::Matchers::Contains;
namespace fs = std::filesystem;

TEST_CASE("photos of files and folders become a set that loads") {
  const fs::path folder = fs::temp_directory_path() / ("tailseg-folder-" + std::to_string(getpid()));
  fs::create_directories(folder / "inner.png");  // a folder with a photo's name is none
  const std::string golden = TAILSEG_GOLDEN_DIR "/images/";
  fs::copy(golden + "orientation_6.jpg", folder / "b.JPG");
  fs::copy(golden + "rgb.png", folder / "a.png");
  std::ofstream(folder / "notes.txt") << "x";
  const AnnotationSet set = photo_set({golden + "grey.png", folder.string()});
  REQUIRE(set.images.size() == 3);
  CHECK(set.images.id == std::vector<int64_t>{1, 2, 3});
  CHECK(fs::path(set.images.file[1]).filename() == "a.png");
  CHECK((set.images.width[2] == 17 && set.images.height[2] == 23));  // upright: 23 x 17 is stored
  LoaderConfig config;
  config.batch_size = 3;
  config.epochs = 1;
  Loader loader(set, {}, config, sequential_order({0, 1, 2}));
  Batch batch;
  REQUIRE(loader.next(batch));
  CHECK(batch.count() == 3);

  std::ofstream(folder / "c.jpg") << "no picture";
  CHECK_THROWS_WITH(photo_set({folder.string()}), Contains("c.jpg"));
  std::vector<std::string> skipped;
  CHECK(photo_set({folder.string()}, {}, &skipped).images.size() == 2);
  REQUIRE(skipped.size() == 1);
  CHECK_THAT(skipped[0], Contains("c.jpg"));
  CHECK_THROWS_WITH(photo_set({"/nowhere"}), Contains("/nowhere"));
  CHECK_THROWS_WITH(photo_set({(folder / "inner.png").string()}), Contains("holds no .jpg"));
  CHECK_THROWS_AS(photo_set({}), Error);
  fs::create_symlink("loop", folder / "loop");
  CHECK_THROWS_WITH(photo_files({(folder / "loop").string()}), Contains("symbolic links"));
  CHECK(photo_files({(folder / "notes.txt").string()}).size() == 1);  // who names a file means it
  for (const char* name : {"b.WebP", "a.gif"}) std::ofstream(folder / name) << "x";
  std::vector<std::string> left_out;
  const size_t photos = photo_files({folder.string()}).size();
  CHECK(photo_files({folder.string()}, &left_out).size() == photos);
  CHECK(left_out == std::vector<std::string>{(folder / "a.gif").string(), (folder / "b.WebP").string()});
  fs::remove_all(folder);
}
