// The whole model against torchvision 0.14.1's MaskRCNN R50-FPN: same weights, same picture, same detections, same
// losses, same gradients. Weights and picture come from a formula that both sides compute; tests/golden/torchvision/
// has torchvision's numbers and the recipe.
#include <catch2/catch.hpp>
#include <cmath>
#include <fstream>
#include <map>
#include <sstream>

#include "detection/mask_paste.h"
#include "detection/mask_rcnn.h"
#include "tests/devices.h"

using namespace tailseg;

namespace {

constexpr int64_t kHeight = 224, kWidth = 320, kClasses = 90;

// uniform[i] in [0, 1): FNV-1a of the name, mixed with the index by murmur3's finaliser.
double uniform(uint32_t name_hash, uint32_t i) {
  uint32_t x = name_hash ^ (i * 2654435761u);
  x = (x ^ (x >> 16)) * 0x85ebca6bu;
  x = (x ^ (x >> 13)) * 0xc2b2ae35u;
  return static_cast<double>(x ^ (x >> 16)) / 4294967296.0;
}

uint32_t fnv(const std::string& name) {
  uint32_t hash = 2166136261u;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
  return hash;
}

bool has(const std::string& name, const char* part) { return name.find(part) != std::string::npos; }

std::pair<double, double> bounds(const std::string& name, const std::vector<int64_t>& shape) {
  if (shape.size() >= 2) {
    double fan = 1, gain = std::sqrt(2.0);
    for (size_t i = 1; i < shape.size(); ++i) fan *= static_cast<double>(shape[i]);
    if (has(name, "conv5_mask")) fan = static_cast<double>(shape[0]);
    if (has(name, ".fpn.")) gain = 0.4;
    if (has(name, "rpn.head.cls_logits")) gain = 2;
    if (has(name, "rpn.head.bbox_pred")) gain = 0.5;
    if (has(name, "cls_score")) gain = 3.5;
    if (has(name, "box_predictor.bbox_pred")) gain = 1;
    if (has(name, "mask_fcn_logits")) gain = 3;
    const double a = gain * std::sqrt(3.0 / fan);
    return {-a, a};
  }
  if (name.ends_with("running_var")) return {0.8, 1.2};
  if (name.ends_with("running_mean")) return {-0.1, 0.1};
  const bool norm = has(name, ".bn") || has(name, "downsample.1");
  if (norm && name.ends_with("weight")) return has(name, ".bn3.") ? std::pair{0.2, 0.4} : std::pair{0.8, 1.2};
  return {-0.1, 0.1};
}

// Rows of a torchvision predictor (background first, `each` rows a class) in our order: classes, then background if it
// is kept.
std::vector<float> in_our_order(const std::vector<float>& rows, int64_t row_size, int64_t each, bool keep_background) {
  const auto block = static_cast<size_t>(row_size * each);
  std::vector<float> out(rows.begin() + static_cast<std::ptrdiff_t>(block), rows.end());
  if (keep_background) out.insert(out.end(), rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(block));
  return out;
}

// What torchvision's state dict would hold under this name, moved into our order.
HostTensor torchvision_tensor(const std::string& name, std::vector<int64_t> shape) {
  const bool score = has(name, "cls_score"), delta = has(name, "box_predictor.bbox_pred");
  const bool mask = has(name, "mask_fcn_logits");
  std::vector<int64_t> theirs = shape;
  if (delta) theirs[0] = 4 * (kClasses + 1);
  if (mask) theirs[0] = kClasses + 1;
  int64_t elements = 1;
  for (const int64_t size : theirs) elements *= size;
  const auto [low, high] = bounds(name, theirs);
  const uint32_t hash = fnv(name);
  std::vector<float> values(static_cast<size_t>(elements));
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(low + (high - low) * uniform(hash, static_cast<uint32_t>(i)));
  }
  if (score || delta || mask) values = in_our_order(values, elements / theirs[0], delta ? 4 : 1, score);
  return host_from_float32(shape, values);
}

ImageBatch picture(Context& ctx) {
  const uint32_t hash = fnv("image");
  const float mean[3] = {0.485f, 0.456f, 0.406f}, deviation[3] = {0.229f, 0.224f, 0.225f};
  std::vector<float> pixels(static_cast<size_t>(kHeight * kWidth * 3));
  for (int64_t c = 0; c < 3; ++c) {
    for (int64_t y = 0; y < kHeight; ++y) {
      for (int64_t x = 0; x < kWidth; ++x) {
        const double base = static_cast<double>((x * (3 + c) + y * (5 - c)) / 4 % 256) / 255.0;
        const double u = uniform(hash, static_cast<uint32_t>((c * kHeight + y) * kWidth + x));
        const auto value = static_cast<float>(0.6 * base + 0.4 * u);
        pixels[static_cast<size_t>((y * kWidth + x) * 3 + c)] = (value - mean[c]) / deviation[c];
      }
    }
  }
  const Tensor sizes = Tensor::from(ctx, {1, 2}, std::vector<int32_t>{kHeight, kWidth});
  return {Tensor::from(ctx, {1, kHeight, kWidth, 3}, pixels), sizes, sizes, sizes};
}

TruthBatch ellipses(Context& ctx) {
  const std::vector<float> boxes{33.3f,  41.7f, 98.2f,  120.9f, 150.6f, 20.2f,
                                 210.1f, 77.7f, 201.4f, 101.3f, 280.8f, 199.6f};
  TruthBatch truth;
  truth.boxes.boxes = Tensor::from(ctx, {1, 3, 4}, boxes);
  truth.boxes.labels = Tensor::from(ctx, {1, 3}, std::vector<int32_t>{2, 16, 89});  // theirs less one
  truth.boxes.count = Tensor::from(ctx, {1}, std::vector<int32_t>{3});
  std::vector<uint8_t> pixels;
  std::vector<int32_t> crops;
  std::vector<int64_t> offsets;
  for (size_t i = 0; i < 3; ++i) {
    const float* b = boxes.data() + 4 * i;
    offsets.push_back(static_cast<int64_t>(pixels.size()));
    crops.insert(crops.end(), {0, 0, kWidth, kHeight});
    for (int64_t y = 0; y < kHeight; ++y) {
      for (int64_t x = 0; x < kWidth; ++x) {
        const double dx = (double(x) + 0.5 - (double(b[0]) + b[2]) / 2) / ((double(b[2]) - b[0]) / 2);
        const double dy = (double(y) + 0.5 - (double(b[1]) + b[3]) / 2) / ((double(b[3]) - b[1]) / 2);
        pixels.push_back(dx * dx + dy * dy <= 1);
      }
    }
  }
  truth.masks.pixels = Tensor::from(ctx, {static_cast<int64_t>(pixels.size())}, pixels);
  truth.masks.crops = Tensor::from(ctx, {3, 4}, crops);
  truth.masks.offsets = Tensor::from(ctx, {3}, offsets);
  return truth;
}

struct Model {
  ParameterStore store;
  MaskRcnn net;
  Model(Context& ctx, const MaskRcnnOptions& options) : store(ctx, 0), net(store, options) {
    store.consolidate();
    HostTensors tensors;
    for (const auto& [name, tensor] : store.state_dict()) tensors[name] = torchvision_tensor(name, tensor.shape);
    store.load_state_dict(tensors, "the formula");
  }
};

// Lines "key number number ..." by key.
std::multimap<std::string, std::vector<double>> golden(const std::string& file) {
  std::ifstream in(std::string(TAILSEG_GOLDEN_DIR) + "/torchvision/" + file);
  REQUIRE(in);
  std::multimap<std::string, std::vector<double>> out;
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::string key, more;
    words >> key;
    if (key == "gradient") {
      words >> more;
      key += " " + more;
    }
    std::vector<double> numbers;
    for (double number; words >> number;) numbers.push_back(number);
    out.emplace(key, numbers);
  }
  return out;
}

}  // namespace

TEST_CASE("torchvision's proposals, boxes, scores and masks") {
  const auto expected = golden("prediction.txt");
  for (Context* ctx : devices()) {
    Model model(*ctx, MaskRcnnOptions::torchvision(kClasses));
    const BoxSet proposals = model.net.propose(*ctx, picture(*ctx));
    REQUIRE(proposals.count.to_vector<int32_t>(*ctx)[0] == int32_t(expected.find("proposals")->second[0]));
    const auto boxes = proposals.boxes.to_vector<float>(*ctx);
    size_t at = 0;
    for (auto [it, end] = expected.equal_range("proposal"); it != end; ++it) {
      for (const double v : it->second) REQUIRE(boxes[at++] == Approx(v).margin(0.01));
    }

    const Prediction found = model.net.predict(*ctx, picture(*ctx));
    const BoxSet& photo = found.detections.photo;
    REQUIRE(photo.count.to_vector<int32_t>(*ctx)[0] == int32_t(expected.find("detections")->second[0]));
    const auto corners = photo.boxes.to_vector<float>(*ctx);
    const auto scores = photo.scores.to_vector<float>(*ctx);
    const auto labels = photo.labels.to_vector<int32_t>(*ctx);
    const PastedMasks masks = paste_masks(*ctx, found.masks, photo.boxes.reshape({photo.capacity(), 4}), kHeight,
                                          kWidth, MaskPasteRule::torchvision);
    size_t i = 0;
    double worst_box = 0, worst_score = 0;
    for (auto [it, end] = expected.equal_range("detection"); it != end; ++it, ++i) {
      for (size_t j = 0; j < 4; ++j) worst_box = std::max(worst_box, std::abs(corners[i * 4 + j] - it->second[j]));
      worst_score = std::max(worst_score, std::abs(scores[i] - it->second[4]));
      REQUIRE(labels[i] + 1 == int32_t(it->second[5]));
      const PastedMask& mask = masks.masks[i];
      int64_t area = 0;
      for (int64_t p = 0; p < mask.width * mask.height; ++p) area += masks.pixels[size_t(mask.begin + p)];
      REQUIRE(std::abs(double(area) - it->second[6]) <= 2 + 0.002 * it->second[6]);  // pixels whose value is nearly 0.5
    }
    INFO("boxes differ by at most " << worst_box << " pixels, scores by " << worst_score);
    REQUIRE(worst_box < 0.01);
    REQUIRE(worst_score < 1e-4);
  }
}

TEST_CASE("torchvision's five losses and gradient norms") {
  const auto expected = golden("training.txt");
  for (Context* ctx : devices()) {
    MaskRcnnOptions options = MaskRcnnOptions::torchvision(kClasses);
    options.train_proposals.per_level = 300;
    options.train_proposals.most = 200;
    options.rpn_sampler.take_all = options.roi_sampler.take_all = true;
    Model model(*ctx, options);
    const MaskRcnnLosses losses = model.net.losses(*ctx, picture(*ctx), ellipses(*ctx), {});
    const std::map<std::string, Variable> ours{{"loss_classifier", losses.box_class},
                                               {"loss_box_reg", losses.box_delta},
                                               {"loss_mask", losses.mask},
                                               {"loss_objectness", losses.rpn_objectness},
                                               {"loss_rpn_box_reg", losses.rpn_box}};
    for (const auto& [name, loss] : ours) {
      INFO(name);
      REQUIRE(loss.value().to_vector<float>(*ctx)[0] == Approx(expected.find(name)->second[0]).epsilon(1e-4));
    }
    backward(*ctx, losses.total);
    size_t compared = 0;
    for (const ParameterEntry& entry : model.store.entries()) {
      if (!entry.variable.requires_grad()) continue;
      INFO(entry.name);
      const auto found = expected.find("gradient " + entry.name);
      REQUIRE(found != expected.end());
      double squares = 0;
      for (const float g : entry.variable.grad().to_vector<float>(*ctx)) squares += double(g) * g;
      CHECK(std::sqrt(squares) == Approx(found->second[0]).epsilon(1e-4));
      ++compared;
    }
    REQUIRE(compared == expected.size() - 5);
  }
}
