// Names and meanings: our name lists against torchvision's own, each system's names for the same layers, background
// rows, the stem's channels. Weights here are small stand-ins with the real names; values are chosen to be traceable.
#include <catch2/catch.hpp>
#include <fstream>
#include <set>
#include <sstream>

#include "apps/import/convert.h"
#include "apps/import/pixel_format.h"
#include "apps/import/resnet_fpn_names.h"
#include "tensor/error.h"

using namespace tailseg;

namespace {

std::set<std::string> golden_names(const std::string& file, const std::string& prefix = "") {
  std::ifstream stream(TAILSEG_GOLDEN_DIR "/import/" + file);
  std::set<std::string> names;
  for (std::string line; std::getline(stream, line);) names.insert(prefix + line.substr(0, line.find(' ')));
  return names;
}

ResnetKind kind_of(const std::set<std::string>& names) {
  return resnet_kind([&](const std::string& name) { return names.count(name) != 0; });
}

HostTensor numbered(std::vector<int64_t> shape) {
  std::vector<float> values(size_t(host_elements(shape, "test")));
  for (size_t i = 0; i < values.size(); ++i) values[i] = float(i);
  return host_from_float32(shape, values);
}

std::vector<float> values(const ImportResult& result, const std::string& name) {
  return host_to_float32(result.tensors.at(name), name);
}

// A file with torchvision's name list; every tensor tiny but the heads' rows right for two classes.
WeightsFile torchvision_file() {
  WeightsFile file;
  file.path = "detector.pth";
  file.format = "PyTorch zip";
  for (const std::string& name : golden_names("torchvision_0_14_names.txt")) file.tensors[name] = numbered({1});
  file.tensors["backbone.body.conv1.weight"] = numbered({2, 3, 1, 1});
  file.tensors["roi_heads.box_predictor.cls_score.weight"] = numbered({3, 2});
  file.tensors["roi_heads.box_predictor.cls_score.bias"] = numbered({3});
  file.tensors["roi_heads.box_predictor.bbox_pred.weight"] = numbered({12, 1});
  file.tensors["roi_heads.box_predictor.bbox_pred.bias"] = numbered({12});
  file.tensors["roi_heads.mask_predictor.mask_fcn_logits.weight"] = numbered({3, 1, 1, 1});
  file.tensors["roi_heads.mask_predictor.mask_fcn_logits.bias"] = numbered({3});
  return file;
}

void rename(WeightsFile& file, const std::string& from, const std::string& to) {
  auto node = file.tensors.extract(from);
  node.key() = to;
  file.tensors.insert(std::move(node));
}

}  // namespace

TEST_CASE("our name lists are torchvision's") {
  const auto detector = golden_names("torchvision_0_14_names.txt");
  const ResnetKind fifty = kind_of(detector);
  CHECK(fifty.depth == 50);
  auto ours = resnet_names(fifty);
  const auto heads = mask_rcnn_head_names();
  ours.insert(ours.end(), heads.begin(), heads.end());
  CHECK(std::set<std::string>(ours.begin(), ours.end()) == detector);
  CHECK(ours.size() == detector.size());
  const auto backbone = golden_names("resnet18_names.txt", "backbone.body.");
  CHECK(kind_of(backbone).depth == 18);
  auto eighteen = resnet_names(kind_of(backbone));
  for (const char* classifier : {"backbone.body.fc.weight", "backbone.body.fc.bias"}) eighteen.emplace_back(classifier);
  CHECK(std::set<std::string>(eighteen.begin(), eighteen.end()) == backbone);
}

TEST_CASE("each system's name for a layer becomes ours (ECOSYSTEM 2.6)") {
  struct Row {
    WeightLayout layout;
    const char *theirs, *ours;
  };
  using L = WeightLayout;
  const Row rows[] = {
      {L::kTorchvision, "layer3.5.conv2.weight", "backbone.body.layer3.5.conv2.weight"},
      {L::kTorchvision, "backbone.fpn.inner_blocks.2.weight", "backbone.fpn.inner_blocks.2.0.weight"},
      {L::kTorchvision, "rpn.head.conv.bias", "rpn.head.conv.0.0.bias"},
      {L::kTorchvision, "roi_heads.mask_head.mask_fcn4.bias", "roi_heads.mask_head.3.0.bias"},
      {L::kDetectron2, "backbone.bottom_up.stem.conv1.norm.running_var", "backbone.body.bn1.running_var"},
      {L::kDetectron2, "backbone.bottom_up.res5.2.conv3.norm.bias", "backbone.body.layer4.2.bn3.bias"},
      {L::kDetectron2, "res2.0.shortcut.norm.weight", "backbone.body.layer1.0.downsample.1.weight"},
      {L::kDetectron2, "backbone.fpn_lateral5.weight", "backbone.fpn.inner_blocks.3.0.weight"},
      {L::kDetectron2, "backbone.fpn_output2.bias", "backbone.fpn.layer_blocks.0.0.bias"},
      {L::kDetectron2, "proposal_generator.rpn_head.anchor_deltas.bias", "rpn.head.bbox_pred.bias"},
      {L::kDetectron2, "roi_heads.box_head.fc2.weight", "roi_heads.box_head.fc7.weight"},
      {L::kDetectron2, "roi_heads.mask_head.mask_fcn1.weight", "roi_heads.mask_head.0.0.weight"},
      {L::kDetectron2, "roi_heads.mask_head.predictor.bias", "roi_heads.mask_predictor.mask_fcn_logits.bias"},
      {L::kCaffe2, "res4_22_branch2b_bn_s", "backbone.body.layer3.22.bn2.weight"},
      {L::kCaffe2, "res2_0_branch1_w", "backbone.body.layer1.0.downsample.0.weight"},
      {L::kCaffe2, "fpn_inner_res4_5_sum_lateral_w", "backbone.fpn.inner_blocks.2.0.weight"},
      {L::kCaffe2, "fpn_res5_2_sum_b", "backbone.fpn.layer_blocks.3.0.bias"},
      {L::kCaffe2, "_[mask]_fcn2_w", "roi_heads.mask_head.1.0.weight"},
      {L::kMmdet, "backbone.layer2.3.bn1.running_mean", "backbone.body.layer2.3.bn1.running_mean"},
      {L::kMmdet, "neck.fpn_convs.0.conv.weight", "backbone.fpn.layer_blocks.0.0.weight"},
      {L::kMmdet, "rpn_head.rpn_reg.weight", "rpn.head.bbox_pred.weight"},
      {L::kMmdet, "roi_head.bbox_head.shared_fcs.1.bias", "roi_heads.box_head.fc7.bias"},
      {L::kMmdet, "roi_head.mask_head.upsample.weight", "roi_heads.mask_predictor.conv5_mask.weight"},
      {L::kMmdet, "layer1.0.bn2.weight", "backbone.body.layer1.0.bn2.weight"},
      {L::kDetectron2, "roi_heads.box_head.2.fc1.weight", "roi_heads.box_head.2.fc6.weight"},
      {L::kDetectron2, "roi_heads.box_predictor.1.bbox_pred.bias", "roi_heads.box_predictor.1.bbox_pred.bias"},
      {L::kMmdet, "roi_head.bbox_head.2.shared_fcs.0.weight", "roi_heads.box_head.2.fc6.weight"},
      {L::kMmdet, "roi_head.bbox_head.0.fc_cls.bias", "roi_heads.box_predictor.0.cls_score.bias"},
      {L::kMmdet, "roi_head.bbox_head.1.loss_cls.cum_samples", "roi_heads.box_predictor.1.loss.counts"},
      {L::kMmdet, "roi_head.bbox_head.loss_cls.cum_samples", "roi_heads.box_predictor.loss.counts"},
      {L::kMmdet, "roi_head.mask_head.1.convs.3.conv.weight", "roi_heads.mask_head.1.3.0.weight"},
      {L::kMmdet, "roi_head.mask_head.2.conv_logits.bias", "roi_heads.mask_predictor.2.mask_fcn_logits.bias"},
      {L::kMmdet1, "bbox_head.fc_cls.weight", "roi_heads.box_predictor.cls_score.weight"},
      {L::kMmdet1, "mask_head.conv_logits.bias", "roi_heads.mask_predictor.mask_fcn_logits.bias"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.theirs);
    CHECK(map_name(row.layout, row.theirs).target == row.ours);
  }
  for (const char* name : {"fc.weight", "layer1.0.conv2.weight2", "layer1.0.conv2.bias", "layerx.0.conv1.weight",
                           "layer1.0.bn1.num_batches_tracked", "layer12345678.0.conv1.weight", ""}) {
    CAPTURE(name);
    CHECK(map_name(L::kTorchvision, name).target.empty());
    CHECK_FALSE(map_name(L::kTorchvision, name).reason.empty());
  }
}

TEST_CASE("layouts are recognised; wrapper prefixes are removed") {
  CHECK(detect_layout({"backbone.bottom_up.stem.conv1.weight"}, "f") == WeightLayout::kDetectron2);
  CHECK(detect_layout({"conv1_w", "res2_0_branch2a_w"}, "f") == WeightLayout::kCaffe2);
  CHECK(detect_layout({"backbone.conv1.weight", "roi_head.bbox_head.fc_cls.weight"}, "f") == WeightLayout::kMmdet);
  CHECK(detect_layout({"backbone.conv1.weight", "neck.x", "bbox_head.fc_cls.weight"}, "f") == WeightLayout::kMmdet1);
  CHECK(detect_layout({"conv1.weight", "layer1.0.conv1.weight"}, "f") == WeightLayout::kTorchvision);
  CHECK_THROWS_WITH(detect_layout({"transformer.h.0"}, "f"), Catch::Contains("transformer.h.0"));
  CHECK(wrapper_prefix({"module.model.a", "module.model.b"}) == "module.model.");
  CHECK(wrapper_prefix({"module.a", "b"}).empty());
}

TEST_CASE("a torchvision detector: background moved last, or kept first") {
  const ImportResult last = convert_weights(torchvision_file());
  CHECK(last.missing.empty());
  CHECK(last.dropped.empty());
  CHECK(last.backbone == "resnet50");
  CHECK(last.whole_detector);
  CHECK(last.metadata.at(kMetaBackground) == "last");
  CHECK(last.metadata.at(kMetaNumClasses) == "2");
  CHECK(last.metadata.at(kMetaStrideIn1x1) == "false");
  CHECK(values(last, "roi_heads.box_predictor.cls_score.weight") == std::vector<float>{2, 3, 4, 5, 0, 1});
  CHECK(values(last, "roi_heads.box_predictor.cls_score.bias") == std::vector<float>{1, 2, 0});
  CHECK(values(last, "roi_heads.box_predictor.bbox_pred.weight") == std::vector<float>{4, 5, 6, 7, 8, 9, 10, 11});
  CHECK(last.tensors.at("roi_heads.box_predictor.bbox_pred.bias").shape == std::vector<int64_t>{8});
  CHECK(values(last, "roi_heads.mask_predictor.mask_fcn_logits.weight") == std::vector<float>{1, 2});
  CHECK(values(last, "backbone.body.conv1.weight") == std::vector<float>{0, 1, 2, 3, 4, 5});
  const std::string table = import_table(last);
  CHECK_THAT(table, Catch::Contains("background row moved last"));
  CHECK_THAT(table, Catch::Contains("torchvision resnet50 Mask R-CNN: 307 matched, 0 dropped, 0 missing"));

  ImportOptions keep;
  keep.keep_background_first = true;
  const ImportResult first = convert_weights(torchvision_file(), keep);
  CHECK(first.metadata.at(kMetaBackground) == "first");
  CHECK(values(first, "roi_heads.box_predictor.cls_score.bias") == std::vector<float>{0, 1, 2});
  CHECK(first.tensors.at("roi_heads.box_predictor.bbox_pred.bias").shape == std::vector<int64_t>{12});

  // A file that kept torchvision's order says so, and a model that wants the background last gets it on reading.
  WeightsFile kept;
  kept.path = "kept.safetensors";
  kept.tensors = first.tensors;
  kept.metadata = first.metadata;
  const ImportResult later = convert_weights(kept);
  CHECK(later.metadata.at(kMetaBackground) == "last");
  CHECK(values(later, "roi_heads.box_predictor.cls_score.bias") == std::vector<float>{1, 2, 0});

  // What we wrote is read again without a second reordering.
  WeightsFile again;
  again.path = "again.safetensors";
  again.tensors = last.tensors;
  again.metadata = last.metadata;
  const ImportResult twice = convert_weights(again);
  CHECK(values(twice, "roi_heads.box_predictor.cls_score.bias") == std::vector<float>{1, 2, 0});
  CHECK(twice.metadata.at(kMetaBackground) == "last");
}

TEST_CASE("missing, foreign and contradictory tensors are reported") {
  WeightsFile file = torchvision_file();
  file.tensors.erase("rpn.head.cls_logits.bias");
  file.tensors["roi_heads.keypoint_head.0.weight"] = numbered({1});
  file.tensors["backbone.body.layer1.7.conv1.weight"] = numbered({1});
  file.tensors["backbone.body.bn1.num_batches_tracked"] = {"I64", {}, std::vector<std::byte>(8)};
  const ImportResult result = convert_weights(file);
  REQUIRE(result.missing.size() == 1);
  CHECK(result.missing[0].target == "rpn.head.cls_logits.bias");
  CHECK(result.dropped.size() == 3);
  CHECK_THAT(import_table(result), Catch::Contains("missing  rpn.head.cls_logits.bias") &&
                                       Catch::Contains("dropped  roi_heads.keypoint_head.0.weight") &&
                                       Catch::Contains("batch counter"));

  WeightsFile wrong = torchvision_file();
  wrong.tensors["roi_heads.box_predictor.bbox_pred.weight"] = numbered({8, 1});
  CHECK_THROWS_WITH(convert_weights(wrong), Catch::Contains("3 class logits, 8 box deltas"));
  WeightsFile bias = torchvision_file();
  bias.tensors["roi_heads.box_predictor.cls_score.bias"] = numbered({4});
  CHECK_THROWS_WITH(convert_weights(bias), Catch::Contains("cls_score.bias") && Catch::Contains("expected 3 rows"));
  WeightsFile both = torchvision_file();
  both.tensors["rpn.head.conv.weight"] = numbered({1});
  CHECK_THROWS_WITH(convert_weights(both), Catch::Contains("both map to 'rpn.head.conv.0.0.weight'"));
  ImportOptions mmdet;
  mmdet.layout = WeightLayout::kDetectron2;
  WeightsFile none;
  none.path = "x.pth";
  none.tensors["layer1.0.conv1.weight"] = numbered({1});
  CHECK_THROWS_WITH(convert_weights(none, mmdet), Catch::Contains("none of its 1 names"));
}

TEST_CASE("an mmdetection detector keeps its rows; its Seesaw head and class names are understood") {
  WeightsFile file;
  file.path = "mmdet.pth";
  file.classes = {"cat", "dog \"x\""};
  file.tensors["backbone.conv1.weight"] = numbered({1, 3, 1, 1});
  file.tensors["roi_head.bbox_head.fc_cls.weight"] = numbered({3, 1});
  file.tensors["roi_head.bbox_head.fc_reg.weight"] = numbered({8, 1});
  file.tensors["roi_head.mask_head.conv_logits.weight"] = numbered({2, 1, 1, 1});
  ImportResult result = convert_weights(file);
  CHECK(result.layout == WeightLayout::kMmdet);
  CHECK(result.metadata.at(kMetaNumClasses) == "2");
  CHECK(result.metadata.at(kMetaClasses) == R"(["cat","dog \"x\""])");
  CHECK(values(result, "roi_heads.box_predictor.cls_score.weight") == std::vector<float>{0, 1, 2});
  file.tensors["roi_head.bbox_head.fc_cls.weight"] = numbered({4, 1});
  result = convert_weights(file);
  CHECK(result.metadata.at(kMetaNumClasses) == "2");
  CHECK_THAT(import_table(result), Catch::Contains("objectness"));
  file.tensors["roi_head.bbox_head.fc_reg.weight"] = numbered({4, 1});  // class-agnostic boxes
  file.tensors["roi_head.bbox_head.fc_cls.weight"] = numbered({3, 1});
  CHECK(convert_weights(file).metadata.at(kMetaNumClasses) == "2");
  ImportOptions keep;
  keep.keep_background_first = true;
  CHECK_THROWS_WITH(convert_weights(file, keep), Catch::Contains("last already"));
  // 1.x: no roi_head in front, background first.
  rename(file, "roi_head.bbox_head.fc_cls.weight", "bbox_head.fc_cls.weight");
  rename(file, "roi_head.bbox_head.fc_reg.weight", "bbox_head.fc_reg.weight");
  rename(file, "roi_head.mask_head.conv_logits.weight", "mask_head.conv_logits.weight");
  file.tensors["mask_head.conv_logits.weight"] = numbered({3, 1, 1, 1});
  result = convert_weights(file);
  CHECK(result.layout == WeightLayout::kMmdet1);
  CHECK(values(result, "roi_heads.box_predictor.cls_score.weight") == std::vector<float>{1, 2, 0});
  CHECK(values(result, "roi_heads.mask_predictor.mask_fcn_logits.weight") == std::vector<float>{1, 2});
}

TEST_CASE("cascades: every stage's head, its counts, its rows; a mask head each or one for all") {
  WeightsFile file;
  file.path = "cascade.pth";
  file.tensors["backbone.conv1.weight"] = numbered({1, 3, 1, 1});
  for (const std::string s : {"0", "1", "2"}) {
    file.tensors["roi_head.bbox_head." + s + ".fc_cls.weight"] = numbered({4, 1});  // Seesaw, two classes
    file.tensors["roi_head.bbox_head." + s + ".fc_reg.weight"] = numbered({4, 1});
    file.tensors["roi_head.bbox_head." + s + ".loss_cls.cum_samples"] = numbered({3});
    file.tensors["roi_head.mask_head." + s + ".conv_logits.weight"] = numbered({2, 1, 1, 1});
  }
  const ImportResult mmdet = convert_weights(file);
  CHECK(mmdet.metadata.at(kMetaNumClasses) == "2");
  CHECK(mmdet.dropped.empty());
  for (const std::string s : {"0", "1", "2"}) {
    CHECK(values(mmdet, "roi_heads.box_predictor." + s + ".loss.counts") == std::vector<float>{0, 1, 2});
    CHECK(mmdet.tensors.count("roi_heads.mask_predictor." + s + ".mask_fcn_logits.weight") == 1);
  }
  // Whatever three stages with a mask head each have beside that is missing.
  const auto expected = mask_rcnn_head_names(3, true);
  CHECK(expected.size() == 2 * (8 + 3 + 3 * (4 + 6)));
  const auto is_missing = [&](const std::string& name) {
    return std::any_of(mmdet.missing.begin(), mmdet.missing.end(), [&](const auto& row) { return row.target == name; });
  };
  CHECK(is_missing("roi_heads.mask_head.2.3.0.bias"));
  CHECK_FALSE(is_missing("roi_heads.box_head.fc6.weight"));

  // mmdetection 1.x: background first in every stage, class-agnostic boxes.
  WeightsFile old;
  old.path = "old.pth";
  old.tensors["backbone.conv1.weight"] = numbered({1, 3, 1, 1});
  for (const std::string s : {"0", "1", "2"}) {
    old.tensors["bbox_head." + s + ".fc_cls.weight"] = numbered({3, 1});
    old.tensors["bbox_head." + s + ".fc_reg.weight"] = numbered({4, 1});
    old.tensors["mask_head." + s + ".conv_logits.weight"] = numbered({3, 1, 1, 1});
  }
  const ImportResult first = convert_weights(old);
  for (const std::string s : {"0", "1", "2"}) {
    CHECK(values(first, "roi_heads.box_predictor." + s + ".cls_score.weight") == std::vector<float>{1, 2, 0});
    CHECK(values(first, "roi_heads.box_predictor." + s + ".bbox_pred.weight").size() == 4);
    CHECK(values(first, "roi_heads.mask_predictor." + s + ".mask_fcn_logits.weight") == std::vector<float>{1, 2});
  }

  // detectron2: one mask head. What was written is read again as it is.
  WeightsFile d2;
  d2.path = "d2.pkl";
  d2.tensors["backbone.bottom_up.stem.conv1.weight"] = numbered({1, 3, 1, 1});
  for (const std::string s : {"0", "1", "2"}) {
    d2.tensors["roi_heads.box_predictor." + s + ".cls_score.weight"] = numbered({3, 1});
    d2.tensors["roi_heads.box_predictor." + s + ".bbox_pred.weight"] = numbered({4, 1});
  }
  d2.tensors["roi_heads.mask_head.predictor.weight"] = numbered({2, 1, 1, 1});
  const ImportResult shared = convert_weights(d2);
  CHECK(shared.metadata.at(kMetaNumClasses) == "2");
  CHECK(shared.dropped.empty());
  CHECK(mask_rcnn_head_names(3, false).size() == 2 * (8 + 3 + 3 * 4 + 6));
  WeightsFile again;
  again.path = "again.safetensors";
  again.tensors = mmdet.tensors;
  again.metadata = mmdet.metadata;
  CHECK(convert_weights(again).tensors.size() == mmdet.tensors.size());
}

TEST_CASE("Caffe's pixels: the converted stem sees the same image and gives the same sum") {
  const PixelFormat formats[] = {
      kCaffePixels, kOurPixels, {true, {103.53, 116.28, 123.675}, {57.375, 57.12, 58.395}, false}};
  const HostTensor stem = host_from_float32({1, 3, 1, 2}, {0.5f, -1.0f, 2.0f, 0.25f, -3.0f, 1.5f});
  const double rgb[3][2] = {{10, 200}, {30, 40}, {250, 0}};  // [channel][pixel], 0..255
  for (const PixelFormat& format : formats) {
    const auto old = host_to_float32(stem, "stem");
    double theirs = 0, ours = 0;
    const auto fresh = host_to_float32(convert_stem(stem, format), "stem");
    for (size_t c = 0; c < 3; ++c) {
      for (size_t x = 0; x < 2; ++x) {
        const double pixel = rgb[format.bgr ? 2 - c : c][x];
        theirs += old[c * 2 + x] * (pixel - format.mean[c]) / format.std[c];
        ours += fresh[c * 2 + x] * (rgb[c][x] - kOurPixels.mean[c]) / kOurPixels.std[c];
      }
    }
    CHECK(ours == Approx(theirs).epsilon(1e-6));
  }
  CHECK_THROWS_WITH(convert_stem(numbered({1, 1, 7, 7}), kCaffePixels), Catch::Contains("expected [O, 3, k, k]"));
}

TEST_CASE("what the weights expect of their input is found in the file") {
  WeightsFile file;
  CHECK(pixel_format(file, WeightLayout::kDetectron2).bgr);
  CHECK(pixel_format(file, WeightLayout::kDetectron2).stride_in_1x1);
  file.author = "torchvision";
  CHECK_FALSE(pixel_format(file, WeightLayout::kDetectron2).bgr);
  file.config =
      "style='caffe'\nimg_norm_cfg = dict(\n    mean=[102.9801, 115.9465, 122.7717], std=[1.0, 1.0, 1.0], "
      "to_rgb=False)";
  const PixelFormat caffe = pixel_format(file, WeightLayout::kMmdet);
  CHECK(caffe.bgr);
  CHECK(caffe.stride_in_1x1);
  CHECK(caffe.mean == std::array<double, 3>{102.9801, 115.9465, 122.7717});
  CHECK(as_rgb(caffe).mean == std::array<double, 3>{122.7717, 115.9465, 102.9801});
  file.path = "mmdet.pth";
  file.tensors["backbone.conv1.weight"] = numbered({1, 3, 1, 1});
  file.tensors["backbone.layer1.0.conv1.weight"] = numbered({1});
  const ImportResult result = convert_weights(file);
  CHECK(result.metadata.at(kMetaPixelMean) == "122.7717 115.9465 102.9801");
  CHECK_THAT(import_table(result), Catch::Contains("set data.pixel_mean") && Catch::Contains("stride_in_1x1") &&
                                       Catch::Contains("BGR to RGB, pixel std 1 1 1 folded in"));
}

TEST_CASE("Caffe2's batch norms without statistics become the identity") {
  WeightsFile file;
  file.path = "R-50.pkl";
  file.format = "pickle";
  file.tensors["conv1_w"] = numbered({1, 3, 1, 1});
  file.tensors["res_conv1_bn_s"] = numbered({4});
  file.tensors["res_conv1_bn_b"] = numbered({4});
  file.tensors["res2_0_branch2a_w"] = numbered({1});
  file.tensors["pred_w"] = numbered({1});
  file.tensors["conv1_w_momentum"] = numbered({1});
  const ImportResult result = convert_weights(file);
  CHECK(values(result, "backbone.body.bn1.running_mean") == std::vector<float>{0, 0, 0, 0});
  for (const float variance : values(result, "backbone.body.bn1.running_var")) {
    CHECK(variance + 1e-5f == Approx(1.0f).epsilon(1e-7));
  }
  CHECK(result.dropped.size() == 2);
  CHECK(result.metadata.at(kMetaStrideIn1x1) == "true");
}
