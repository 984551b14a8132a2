// The whole model against torchvision 0.14.1's MaskRCNN R50-FPN: same weights, same picture, same detections, same
// losses, same gradients. Weights and picture come from a formula that both sides compute; tests/golden/torchvision/
// has torchvision's numbers and the recipe.
#include "detection/mask_paste.h"
#include "tests/detection/formula_model.h"

using namespace tailseg;
using namespace tailseg::formula;

namespace {

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
  std::vector<float> values = values_of(name, theirs);
  const auto elements = static_cast<int64_t>(values.size());
  if (score || delta || mask) values = in_our_order(values, elements / theirs[0], delta ? 4 : 1, score);
  return host_from_float32(shape, values);
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
    const std::map<std::string, Variable> ours{{"loss_classifier", losses.stages[0].box_class},
                                               {"loss_box_reg", losses.stages[0].box_delta},
                                               {"loss_mask", losses.stages[0].mask},
                                               {"loss_objectness", losses.rpn_objectness},
                                               {"loss_rpn_box_reg", losses.rpn_box}};
    for (const auto& [name, loss] : ours) {
      INFO(name);
      REQUIRE(loss.value().to_vector<float>(*ctx)[0] == Approx(expected.find(name)->second[0]).epsilon(1e-4));
    }
    backward(*ctx, losses.total);
    // Gates of ReLU near zero open or close with the last bit. On the CPU, whose sums lie close to torchvision's, 1e-4
    // holds; pixels that were changed by one unit in their last place moved these norms by up to 4.5e-4 (13 tries).
    const double tolerance = ctx->device().is_cuda() ? 1e-3 : 1e-4;
    size_t compared = 0;
    for (const ParameterEntry& entry : model.store.entries()) {
      if (!entry.variable.requires_grad()) continue;
      INFO(entry.name);
      const auto found = expected.find("gradient " + entry.name);
      REQUIRE(found != expected.end());
      double squares = 0;
      for (const float g : entry.variable.grad().to_vector<float>(*ctx)) squares += double(g) * g;
      CHECK(std::sqrt(squares) == Approx(found->second[0]).epsilon(tolerance));
      ++compared;
    }
    REQUIRE(compared == expected.size() - 5);
  }
}
