#include "apps/import/convert.h"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <utility>

#include "apps/import/pixel_format.h"
#include "apps/import/resnet_fpn_names.h"
#include "apps/number_text.h"
#include "tensor/error.h"

namespace tailseg {
namespace {

const std::string kStem = "backbone.body.conv1.weight";
// The predictors; in a cascade with the stage (".0") between the two parts of the name.
std::string classes_layer(const std::string& stage) { return "roi_heads.box_predictor" + stage + ".cls_score"; }
std::string deltas_layer(const std::string& stage) { return "roi_heads.box_predictor" + stage + ".bbox_pred"; }
std::string masks_layer(const std::string& stage) { return "roi_heads.mask_predictor" + stage + ".mask_fcn_logits"; }
constexpr float kIdentityVariance = 1.0f - 1e-5f;  // with batch norm's epsilon of 1e-5 the divisor is 1

bool is_float(const std::string& dtype) {
  return dtype == "F32" || dtype == "F16" || dtype == "BF16" || dtype == "F64";
}

std::string three(const std::array<double, 3>& values) {
  return number_text(values[0]) + " " + number_text(values[1]) + " " + number_text(values[2]);
}

std::string json_list(const std::vector<std::string>& words) {
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> json(buffer);
  json.StartArray();
  for (const std::string& word : words) json.String(word.data(), rapidjson::SizeType(word.size()));
  json.EndArray();
  return {buffer.GetString(), buffer.GetSize()};
}

// Removes the first `count` rows; with `append`, puts them at the end instead.
HostTensor move_rows(const HostTensor& tensor, int64_t count, bool append) {
  const auto split = std::ptrdiff_t(int64_t(tensor.bytes.size()) / tensor.shape[0] * count);
  HostTensor moved = tensor;
  if (append) {
    std::rotate(moved.bytes.begin(), moved.bytes.begin() + split, moved.bytes.end());
  } else {
    moved.bytes.erase(moved.bytes.begin(), moved.bytes.begin() + split);
    moved.shape[0] -= count;
  }
  return moved;
}

class Conversion {
 public:
  Conversion(WeightsFile file, const ImportOptions& options) : file_(std::move(file)), options_(options) {}

  ImportResult run() {
    match_names();
    check_against_architecture();
    fill_statistics();
    order_background();
    convert_input();
    describe();
    return std::move(result_);
  }

 private:
  void match_names() {
    std::vector<std::string> names;
    for (const auto& [name, tensor] : file_.tensors) names.push_back(name);
    const std::string prefix = wrapper_prefix(names);
    for (std::string& name : names) name.erase(0, prefix.size());
    result_.layout = options_.layout ? *options_.layout : detect_layout(names, file_.path);
    for (const std::string& name : names) {
      const std::string source = prefix + name;
      HostTensor& tensor = file_.tensors.at(source);
      const MappedName mapped = map_name(result_.layout, name);
      if (mapped.target.empty()) {
        result_.dropped.push_back({source, "", tensor.shape, mapped.reason});
        continue;
      }
      if (!is_float(tensor.dtype)) {
        result_.dropped.push_back({source, "", tensor.shape, text("dtype ", tensor.dtype, " is no weight's")});
        continue;
      }
      const auto [place, fresh] = origin_.emplace(mapped.target, source);
      TS_CHECK(fresh, file_.path, ": '", place->second, "' and '", source, "' both map to '", mapped.target, "'");
      if (tensor.dtype != "F32") tensor = host_from_float32(tensor.shape, host_to_float32(tensor, source));
      result_.tensors.emplace(mapped.target, std::move(tensor));
    }
    TS_CHECK(!result_.tensors.empty(), file_.path, ": none of its ", names.size(), " names fits the layout ",
             layout_name(result_.layout), "; try another --layout");
  }

  // What is not part of the architecture is dropped; what the architecture has and the file lacks is missing.
  void check_against_architecture() {
    const auto has = [&](const std::string& name) { return result_.tensors.count(name) != 0; };
    const ResnetKind kind = resnet_kind(has);
    if (kind.depth) result_.backbone = "resnet" + std::to_string(kind.depth);
    std::vector<std::string> expected = resnet_names(kind);
    find_stages();
    const std::vector<std::string> heads = mask_rcnn_head_names(int(stages_.size()), masks_each_stage_);
    result_.whole_detector = std::any_of(heads.begin(), heads.end(), has);
    if (result_.whole_detector) expected.insert(expected.end(), heads.begin(), heads.end());
    for (auto at = result_.tensors.begin(); at != result_.tensors.end();) {
      // Seesaw's counts are there when the model was trained with it.
      if (std::find(expected.begin(), expected.end(), at->first) != expected.end() ||
          at->first.ends_with(".loss.counts")) {
        ++at;
        continue;
      }
      result_.dropped.push_back({origin_.at(at->first), "", at->second.shape, "no such part in this ResNet"});
      at = result_.tensors.erase(at);
    }
    for (const std::string& name : expected) {
      if (!has(name)) result_.missing.push_back({"", name, {}, ""});
    }
    if (!kind.depth) {
      result_.notes.push_back(text("stages of ", kind.blocks[0], ", ", kind.blocks[1], ", ", kind.blocks[2], ", ",
                                   kind.blocks[3], " blocks are no ResNet-18, 34, 50, 101 or 152"));
    }
  }

  // ".0", ".1", .. of a cascade; none for Mask R-CNN.
  void find_stages() {
    const auto has = [&](const std::string& layer) { return result_.tensors.count(layer + ".weight") != 0; };
    for (int s = 0; has(classes_layer(text(".", s))) || has(deltas_layer(text(".", s))); ++s) {
      stages_.push_back(text(".", s));
    }
    masks_each_stage_ = has(masks_layer(".0"));
  }

  // Caffe2's batch norms have no running statistics: their effect is in scale and offset already.
  void fill_statistics() {
    if (result_.layout != WeightLayout::kCaffe2 && result_.layout != WeightLayout::kDetectron2) return;
    const auto fill = [&](const ImportRow& row) {
      const bool mean = row.target.ends_with(".running_mean");
      if (!mean && !row.target.ends_with(".running_var")) return false;
      const auto scale = result_.tensors.find(row.target.substr(0, row.target.rfind('.')) + ".weight");
      if (scale == result_.tensors.end()) return false;
      const auto count = size_t(host_elements(scale->second.shape, row.target));
      const float value = mean ? 0.0f : kIdentityVariance;
      result_.tensors[row.target] = host_from_float32(scale->second.shape, std::vector<float>(count, value));
      result_.matched.push_back({"", row.target, scale->second.shape, mean ? "filled with 0" : "filled with 1 - 1e-5"});
      return true;
    };
    result_.missing.erase(std::remove_if(result_.missing.begin(), result_.missing.end(), fill), result_.missing.end());
  }

  bool background_first() const {
    const auto own = file_.metadata.find(kMetaBackground);
    if (own != file_.metadata.end()) return own->second == "first";
    return result_.layout == WeightLayout::kTorchvision || result_.layout == WeightLayout::kCaffe2 ||
           result_.layout == WeightLayout::kMmdet1;
  }

  int64_t rows(const std::string& layer) const {
    const auto found = result_.tensors.find(layer + ".weight");
    return found == result_.tensors.end() || found->second.shape.empty() ? 0 : found->second.shape[0];
  }

  void change_rows(const std::string& layer, int64_t count, bool append, const std::string& note) {
    for (const char* part : {".weight", ".bias"}) {
      const auto found = result_.tensors.find(layer + part);
      if (found == result_.tensors.end()) continue;
      HostTensor& tensor = found->second;
      TS_CHECK(!tensor.shape.empty() && tensor.shape[0] == rows_before_.at(layer), file_.path, ": '",
               origin_.at(layer + part), "' has shape ", shape_text(tensor.shape), ", expected ",
               rows_before_.at(layer), " rows");
      tensor = move_rows(tensor, count, append);
      row_notes_[layer + part] = note;
    }
  }

  void order_background() {
    const std::vector<std::string> stages = stages_.empty() ? std::vector<std::string>{""} : stages_;
    bool any = false;
    for (const std::string& stage : stages) any |= order_background_of(stage, masks_each_stage_ ? stage : "");
    TS_CHECK(any || !options_.keep_background_first, file_.path,
             ": there is no cls_score whose background could stay first");
  }

  // False where the stage has no classifier.
  bool order_background_of(const std::string& stage, const std::string& mask_stage) {
    const std::string class_rows = classes_layer(stage), delta_rows = deltas_layer(stage);
    const std::string mask_rows = masks_layer(mask_stage);
    const int64_t logits = rows(class_rows);
    if (logits == 0) return false;
    const bool shared_mask = rows_before_.count(mask_rows) != 0;  // of all stages: its rows are in order already
    for (const std::string& layer : {class_rows, delta_rows}) rows_before_[layer] = rows(layer);
    if (!shared_mask) rows_before_[mask_rows] = rows(mask_rows);
    const int64_t deltas = rows(delta_rows), masks = rows_before_[mask_rows];
    const bool first = background_first();
    // C+1 logits (mmdetection's Seesaw: C+2, background last); deltas 4C, with a background slot 4(C+1), or 4 for all,
    // and then a class-wise mask predictor tells C.
    const int64_t told = deltas > 4 ? deltas / 4 : (masks > 1 ? masks : logits - 1);
    const int64_t classes = first ? logits - 1 : told;
    const int64_t slots = first ? classes + 1 : classes;
    TS_CHECK(logits > classes && logits <= classes + 2 && (deltas == 0 || deltas == 4 || deltas == 4 * slots) &&
                 (masks == 0 || masks == 1 || masks == slots),
             file_.path, ": ", logits, " class logits, ", deltas, " box deltas and ", masks,
             " mask channels do not fit together with the background ", first ? "first" : "last",
             "; is --layout right?");
    TS_CHECK(first || !options_.keep_background_first, file_.path, ": its background is last already (",
             layout_name(result_.layout), "); leave --keep-background-first out");
    result_.metadata[kMetaNumClasses] = std::to_string(classes);
    result_.metadata[kMetaBackground] = options_.keep_background_first ? "first" : "last";
    if (!file_.classes.empty() && int64_t(file_.classes.size()) == classes) {
      result_.metadata[kMetaClasses] = json_list(file_.classes);
    }
    if (logits == classes + 2 && (stage.empty() || stage == stages_[0])) {
      result_.notes.push_back("two objectness rows (Seesaw) stay behind the classes");
    }
    if (!first || options_.keep_background_first) return true;
    change_rows(class_rows, 1, true, "background row moved last");
    if (deltas == 4 * slots) change_rows(delta_rows, 4, false, "background rows dropped");
    if (masks == slots && !shared_mask) change_rows(mask_rows, 1, false, "background row dropped");
    return true;
  }

  void convert_input() {
    PixelFormat format = pixel_format(file_, result_.layout);
    if (options_.pixels == PixelStyle::kTorchvision) format = kOurPixels;
    if (options_.pixels == PixelStyle::kCaffe) format = kCaffePixels;
    const bool own = file_.metadata.count(kMetaPixelMean) != 0;  // written by us: already in our convention
    if (own) {
      result_.metadata[kMetaPixelMean] = file_.metadata.at(kMetaPixelMean);
      const auto stride = file_.metadata.find(kMetaStrideIn1x1);
      result_.metadata[kMetaStrideIn1x1] = stride == file_.metadata.end() ? "false" : stride->second;
      return;
    }
    const PixelFormat rgb = as_rgb(format);
    const auto stem = result_.tensors.find(kStem);
    if (stem != result_.tensors.end() && (format.bgr || rgb.std != kOurPixels.std)) {
      stem->second = convert_stem(stem->second, format);
      row_notes_[kStem] = text(format.bgr ? "BGR to RGB" : "", format.bgr && rgb.std != kOurPixels.std ? ", " : "",
                               rgb.std != kOurPixels.std ? text("pixel std ", three(rgb.std), " folded in") : "");
    }
    bool same_mean = true;
    for (size_t i = 0; i < 3; ++i) same_mean = same_mean && std::abs(rgb.mean[i] - kOurPixels.mean[i]) < 0.01;
    if (!same_mean) {
      result_.notes.push_back(text("these weights expect the pixel mean ", three(rgb.mean),
                                   " (RGB): set data.pixel_mean; it cannot be folded into the stem"));
    }
    result_.metadata[kMetaPixelMean] = three(same_mean ? kOurPixels.mean : rgb.mean);
    result_.metadata[kMetaStrideIn1x1] = format.stride_in_1x1 ? "true" : "false";
  }

  void describe() {
    result_.metadata[kMetaPixelStd] = three(kOurPixels.std);
    if (!result_.backbone.empty()) result_.metadata[kMetaBackbone] = result_.backbone;
    result_.metadata[kMetaSource] = text(layout_name(result_.layout), ", ", file_.format);
    if (result_.metadata.at(kMetaStrideIn1x1) == "true") {
      result_.notes.push_back("this ResNet strides in its first 1x1 convolutions: set model.stride_in_1x1 = true");
    }
    std::vector<ImportRow> matched;
    for (const auto& [target, tensor] : result_.tensors) {
      const auto source = origin_.find(target);
      if (source != origin_.end()) matched.push_back({source->second, target, tensor.shape, row_notes_[target]});
    }
    result_.matched.insert(result_.matched.begin(), matched.begin(), matched.end());
    for (const std::string& key : file_.ignored) result_.dropped.push_back({key, "", {}, "not part of the weights"});
  }

  WeightsFile file_;
  ImportOptions options_;
  ImportResult result_;
  std::map<std::string, std::string> origin_;     // our name -> the file's
  std::map<std::string, std::string> row_notes_;  // our name -> what was done to the values
  std::map<std::string, int64_t> rows_before_;
  std::vector<std::string> stages_;
  bool masks_each_stage_ = false;
};

}  // namespace

ImportResult convert_weights(WeightsFile file, const ImportOptions& options) {
  return Conversion(std::move(file), options).run();
}

}  // namespace tailseg
