// From somebody else's weights to ours: names (name_map.h), then the meanings that names do not show.
//   background   our heads put it last: cls_score has rows 0..C-1 for the classes and row C for the background,
//   bbox_pred
//                4 rows a class and none for the background, mask_fcn_logits C rows. torchvision, Caffe2 and
//                mmdetection 1.x put it first, with 4(C+1) and C+1 rows: rows are moved and dropped, unless the caller
//                keeps them.
//   input        ours is RGB, (x - mean) / std with ImageNet's mean and std on 0..255. For weights that expect BGR the
//                stem's input channels are swapped, and another std is folded into them: exact, because zero padding
//                stays the mean. Another mean cannot be folded (padding would change): it is recorded instead.
//   stride       detectron2's and Caffe's ResNets stride in the first 1x1 of a bottleneck: recorded.
//   batch norm   Caffe2's has scale and offset only: mean 0 and variance 1 - 1e-5 are filled in, which is the identity.
//   flattening   a box head's first layer is over C,H,W in every system and stays so in our files.
// All floating-point tensors become float32. Sources: METHODS 5.1, 5.7; ECOSYSTEM 2.6; detectron2's model loading.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "apps/import/name_map.h"
#include "apps/import/weights_file.h"

namespace tailseg {

// Keys of a weight file's metadata that a model must agree with.
inline constexpr const char* kMetaBackground = "tailseg.background";   // "first" or "last"
inline constexpr const char* kMetaNumClasses = "tailseg.num_classes";  // without the background
inline constexpr const char* kMetaClasses = "tailseg.classes";         // JSON list of names
inline constexpr const char* kMetaBackbone = "tailseg.backbone";       // "resnet50"
inline constexpr const char* kMetaPixelMean = "tailseg.pixel_mean";    // "123.675 116.28 103.53", RGB, 0..255
inline constexpr const char* kMetaPixelStd = "tailseg.pixel_std";
inline constexpr const char* kMetaStrideIn1x1 = "tailseg.stride_in_1x1";  // "true" or "false"
inline constexpr const char* kMetaSource = "tailseg.source";              // "mmdetection, PyTorch zip"

// Which pixels the weights expect, when the file does not tell: torchvision's RGB with ImageNet's mean and std, or
// Caffe's BGR with the mean only (and the stride in the first 1x1).
enum class PixelStyle { kAuto, kTorchvision, kCaffe };

struct ImportOptions {
  std::optional<WeightLayout> layout;  // none: recognised by the names
  bool keep_background_first = false;  // for the `torchvision` preset, which reads such heads as they are
  PixelStyle pixels = PixelStyle::kAuto;
};

struct ImportRow {
  std::string source, target;  // one may be empty: dropped, filled in, missing
  std::vector<int64_t> shape;
  std::string note;
};

struct ImportResult {
  WeightLayout layout = WeightLayout::kTorchvision;
  std::string backbone;  // "resnet50"; empty when the blocks fit none that is known
  bool whole_detector = false;
  std::vector<ImportRow> matched, dropped, missing;
  std::vector<std::string> notes;  // what was done beyond renaming, and what to watch
  HostTensors tensors;
  TextMap metadata;
};

// Throws Error when nothing matches, when two names map to one, or when the heads' row counts contradict each other.
ImportResult convert_weights(WeightsFile file, const ImportOptions& options = {});

// The table of matched, dropped and missing names, with the notes and a summary line; ends in a newline.
std::string import_table(const ImportResult& result);

}  // namespace tailseg
