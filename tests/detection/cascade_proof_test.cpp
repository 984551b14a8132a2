// Cascade Mask R-CNN against a cascade written in PyTorch over torchvision's parts: same weights, same picture, same
// losses of every stage, same gradients, same detections and masks. tests/golden/torchvision/README.md has the recipe.
#include "tests/detection/formula_model.h"

using namespace tailseg;
using namespace tailseg::formula;

namespace {

MaskRcnnOptions recipe(bool mmdet) {
  MaskRcnnOptions o = MaskRcnnOptions::torchvision(kClasses);
  o.train_proposals.per_level = 300;
  o.train_proposals.most = 200;
  o.test_proposals.per_level = 1000;
  o.test_proposals.most = 300;
  o.rpn_sampler.take_all = o.roi_sampler.take_all = true;
  o.cascade = mmdet ? CascadeOptions::mmdet() : CascadeOptions::detectron2();
  o.box_beta = mmdet ? 1 : 0;
  o.box_head.width = 64;
  o.box_head.class_agnostic = true;
  o.mask_head.width = 32;
  o.mask_head.convolutions = 1;
  if (mmdet) o.box_head.normalized = o.mask_head.normalized = NormalizedOptions{};
  return o;
}

struct Model {
  ParameterStore store;
  MaskRcnn net;
  Model(Context& ctx, bool mmdet) : store(ctx, 0), net(store, recipe(mmdet)) {
    store.consolidate();
    HostTensors tensors;
    for (const auto& [name, tensor] : store.state_dict()) {
      tensors[name] = host_from_float32(tensor.shape, values_of(name, tensor.shape));
    }
    store.load_state_dict(tensors, "the formula");
  }
};

void check_step(Context& ctx, Model& model, const std::multimap<std::string, std::vector<double>>& expected) {
  const std::map<std::string, std::string> theirs{{"loss_rpn_cls", "loss_objectness"},
                                                  {"loss_rpn_loc", "loss_rpn_box_reg"}};
  const MaskRcnnLosses losses = model.net.losses(ctx, picture(ctx), ellipses(ctx), {});
  size_t compared = 0;
  for (const auto& [name, loss] : losses.parts()) {
    INFO(name);
    const auto renamed = theirs.find(name);
    const auto found = expected.find(renamed == theirs.end() ? name : renamed->second);
    REQUIRE(found != expected.end());
    REQUIRE(loss.value().to_vector<float>(ctx)[0] == Approx(found->second[0]).epsilon(1e-4));
    ++compared;
  }
  backward(ctx, losses.total);
  for (const ParameterEntry& entry : model.store.entries()) {
    const auto found = expected.find("gradient " + entry.name);
    if (found == expected.end()) continue;
    INFO(entry.name);
    double squares = 0;
    for (const float g : entry.variable.grad().to_vector<float>(ctx)) squares += double(g) * g;
    CHECK(std::sqrt(squares) == Approx(found->second[0]).epsilon(1e-4));
    ++compared;
  }
  size_t all = 0;
  for (const auto& [key, numbers] : expected) all += key.rfind("loss", 0) == 0 || key.rfind("gradient", 0) == 0;
  REQUIRE(compared == all);
}

void check_prediction(Context& ctx, Model& model, const std::multimap<std::string, std::vector<double>>& expected) {
  const Prediction found = model.net.predict(ctx, picture(ctx));
  const BoxSet& photo = found.detections.photo;
  REQUIRE(photo.count.to_vector<int32_t>(ctx)[0] == int32_t(expected.find("detections")->second[0]));
  const auto corners = photo.boxes.to_vector<float>(ctx);
  const auto scores = photo.scores.to_vector<float>(ctx);
  const auto labels = photo.labels.to_vector<int32_t>(ctx);
  const auto masks = found.masks.to_vector<float>(ctx);
  const auto pixels = size_t(found.masks.size(1) * found.masks.size(2));
  size_t i = 0;
  for (auto [it, end] = expected.equal_range("detection"); it != end; ++it, ++i) {
    INFO("detection " << i);
    const std::vector<double>& theirs = it->second;
    for (size_t j = 0; j < 4; ++j) REQUIRE(corners[i * 4 + j] == Approx(theirs[j]).margin(0.01));
    REQUIRE(scores[i] == Approx(theirs[4]).margin(1e-4));
    REQUIRE(labels[i] == int32_t(theirs[5]));
    double sum = 0;
    for (size_t p = 0; p < pixels; ++p) sum += double(masks[i * pixels + p]);
    REQUIRE(sum / double(pixels) == Approx(theirs[6]).margin(1e-4));
    REQUIRE(masks[i * pixels] == Approx(theirs[7]).margin(1e-4));
  }
  REQUIRE(i == 30);
}

}  // namespace

TEST_CASE("a cascade in mmdetection's manner: losses of every stage, gradients, detections, masks") {
  const auto expected = golden("cascade_mmdet.txt");
  for (Context* ctx : devices()) {
    Model model(*ctx, true);
    check_step(*ctx, model, expected);
    check_prediction(*ctx, model, expected);
  }
}

TEST_CASE("a cascade in detectron2's manner: losses of every stage, gradients, detections, masks") {
  const auto expected = golden("cascade_detectron2.txt");
  for (Context* ctx : devices()) {
    Model model(*ctx, false);
    check_step(*ctx, model, expected);
    check_prediction(*ctx, model, expected);
  }
}
