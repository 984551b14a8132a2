// Inspection of weight files: counts, ranges and problems of a file whose values are chosen here.
#include "apps/inspect_checkpoint.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <sstream>

#include "nn/safetensors.h"
#include "tensor/error.h"

using namespace tailseg;
namespace fs = std::filesystem;

TEST_CASE("a checkpoint's tensors, totals, metadata and problems") {
  std::string pattern = (fs::temp_directory_path() / "tailseg_inspect_XXXXXX").string();
  const fs::path folder = ::mkdtemp(pattern.data());
  const std::string path = (folder / "c.safetensors").string();
  HostTensors tensors;
  tensors["a.weight"] = host_from_float32({2, 2}, {1, -3, 2, 4});
  tensors["bn.running_var"] = host_from_float32({2}, {1, -0.5f});
  tensors["bad"] = host_from_float32({3}, {std::nanf(""), INFINITY, 7});
  tensors["zeros"] = host_from_float32({3}, {0, 0, 0});
  tensors["none"] = host_from_float32({0}, {});
  tensors["step"] = {"I64", {}, std::vector<std::byte>(8)};
  write_safetensors(path, tensors, {{"tailseg.backbone", "resnet50"}});
  const CheckpointReport report = inspect_checkpoint(path);
  REQUIRE(report.tensors.size() == 6);
  CHECK(report.elements == 13);
  CHECK(report.bytes == 12 * 4 + 8);
  const TensorFacts& weight = report.tensors[0];
  CHECK(weight.name == "a.weight");
  CHECK(weight.least == -3);
  CHECK(weight.greatest == 4);
  CHECK(weight.mean == 1);
  CHECK_FALSE(weight.constant);
  CHECK(report.problems ==
        std::vector<std::string>{"'bad': 2 of 3 values are not finite", "'bn.running_var': a variance of -0.5"});
  std::ostringstream table;
  print_checkpoint(report, table);
  CHECK_THAT(table.str(), Catch::Contains("a.weight        F32  [2, 2]  min -3"));
  CHECK_THAT(table.str(), Catch::Contains("metadata  tailseg.backbone = resnet50"));
  CHECK_THAT(table.str(), Catch::Contains("problem   'bad'"));
  CHECK_THAT(table.str(), Catch::Contains("6 tensors, 13 values, 0 MiB (5 F32, 1 I64), 2 problems"));
  CHECK_THAT(table.str(), Catch::Contains("(constant)") && !Catch::Contains("nan"));
  CHECK_THAT(checkpoint_json(report), Catch::Contains("\"shape\": [2, 2]") && Catch::Contains("\"non_finite\": 2"));
  fs::remove_all(folder);

  CHECK(is_checkpoint_name("runs/iter_0000100.safetensors"));
  CHECK(is_checkpoint_name("R-50.pkl"));
  CHECK_FALSE(is_checkpoint_name("instances.json"));
  const CheckpointReport arrays = inspect_checkpoint(TAILSEG_GOLDEN_DIR "/import/arrays_protocol2.pkl");
  CHECK(arrays.format == "pickle");
  CHECK(arrays.elements == 6 + 2 + 6 + 1);
  CHECK(arrays.metadata.at("__author__") == "torchvision");
  CHECK_THROWS_WITH(inspect_checkpoint("none.safetensors"), Catch::Contains("none.safetensors"));
}
