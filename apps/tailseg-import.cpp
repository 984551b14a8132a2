// tailseg-import: weights as people have them -> safetensors with our names and meanings.
#include <CLI/CLI.hpp>
#include <iostream>
#include <map>

#include "apps/command_line.h"
#include "apps/import/convert.h"
#include "apps/import/weights_file.h"
#include "apps/output_folder.h"
#include "nn/safetensors.h"

namespace {

using namespace tailseg;

const std::map<std::string, std::optional<WeightLayout>> kLayouts = {{"auto", {}},
                                                                     {"torchvision", WeightLayout::kTorchvision},
                                                                     {"detectron2", WeightLayout::kDetectron2},
                                                                     {"caffe2", WeightLayout::kCaffe2},
                                                                     {"mmdet", WeightLayout::kMmdet},
                                                                     {"mmdet1", WeightLayout::kMmdet1}};
const std::map<std::string, PixelStyle> kPixels = {
    {"auto", PixelStyle::kAuto}, {"torchvision", PixelStyle::kTorchvision}, {"caffe", PixelStyle::kCaffe}};

template <class Value>
std::vector<std::string> keys(const std::map<std::string, Value>& map) {
  std::vector<std::string> names;
  for (const auto& [name, value] : map) names.push_back(name);
  return names;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Convert weights to safetensors: torchvision, mmdetection and detectron2 .pth/.pkl files, ImageNet "
      "backbones and whole detectors. Nothing in the file is executed.",
      "tailseg-import");
  app.footer(
      "Example:\n  tailseg-import resnet50-0676ba61.pth --output r50.safetensors\n"
      "  tailseg-train --config apps/configs/mask_rcnn_r50_fpn_coco_1x.toml --weights r50.safetensors --output "
      "runs/r50");
  std::string input, output, layout = "auto", pixels = "auto";
  ImportOptions options;
  app.add_option("file", input, "weights: .pth, .pt, .pkl or .safetensors")->required();
  app.add_option("--output,-o", output, "the safetensors file to write")->required();
  app.add_option("--layout", layout, "whose names the file uses")
      ->check(CLI::IsMember(keys(kLayouts)))
      ->capture_default_str();
  app.add_option("--pixels", pixels,
                 "input the weights expect: torchvision (RGB, mean and std) or caffe (BGR, mean only)")
      ->check(CLI::IsMember(keys(kPixels)))
      ->capture_default_str();
  app.add_flag("--keep-background-first", options.keep_background_first,
               "leave class rows as torchvision has them (our programs reorder them on reading)");
  return run_program(app, argc, argv, [&] {
    options.layout = kLayouts.at(layout);
    options.pixels = kPixels.at(pixels);
    check_output_apart(output, input);
    const ImportResult result = convert_weights(read_weights(input), options);
    write_safetensors(output, result.tensors, result.metadata);
    std::cout << import_table(result) << "wrote " << output << "\n";
  });
}
