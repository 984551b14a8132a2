// The normalised classifier in the box head, with every classification loss there is.
#include "detection/box_head.h"

#include "detection/losses/loss_list.h"
#include "tests/detection/loss_check.h"
#include "tests/gradient_check.h"

using namespace tailseg;
using namespace tailseg::loss_check;
namespace gc = gradient_check;

namespace {

constexpr int64_t kClasses = 300, kWidth = 1024, kRows = 6;

BoxHeadOptions with_loss(const std::string& loss) {
  BoxHeadOptions options;
  options.classes = kClasses;
  options.pooled = 1;
  options.width = kWidth;
  options.normalized = NormalizedOptions{};
  options.loss.type = loss;
  for (int64_t c = 0; c < kClasses; ++c) {
    options.statistics.images.push_back(2 + c * c * 40);
    options.statistics.instances.push_back(3 + c * c * 90);
  }
  options.statistics.annotated_images = 5000;
  return options;
}

Tensor features(Context& ctx, double factor) {
  std::vector<double> x = gc::values(kRows * kWidth, 8, 0, 2);
  for (double& v : x) v *= factor;
  return Tensor::from(ctx, {kRows, kWidth}, std::vector<float>(x.begin(), x.end()));
}

}  // namespace

TEST_CASE("every loss trains behind the normalised classifier, whose logits know directions only") {
  for (const auto& listed : loss_list()) {
    for (Context* ctx : devices()) {
      INFO(listed->name() << " on " << ctx->device().name());
      const BoxHeadOptions options = with_loss(listed->name());
      ParameterStore store(*ctx, 3);
      const BoxHead head(Scope(store, "roi_heads"), 4, options);
      store.consolidate();
      const auto logits_at = [&](double factor) {
        return head.class_logits(*ctx, Variable(features(*ctx, factor))).value().to_vector<float>(*ctx);
      };
      const std::vector<float> a = logits_at(1), b = logits_at(50);
      double largest = 0;
      for (size_t i = 0; i < a.size(); ++i) {
        REQUIRE(a[i] == Approx(b[i]).epsilon(1e-4).margin(1e-4));
        largest = std::max(largest, std::abs(double(a[i])));
      }
      const double bias = std::abs(listed->last_layer().bias);
      REQUIRE(largest > 1);                 // 20 cosines of deviation 1/32 beside the bias
      REQUIRE(largest < bias + 20 * 0.25);  // one direction for all classes would have cosines of 0.87

      const Variable x(features(*ctx, 1), true);
      const Variable logits = head.class_logits(*ctx, x);
      const Tensor labels = Tensor::from(*ctx, {kRows}, std::vector<int32_t>{0, 1, 299, kClasses, -1, kClasses});
      const RowLoss loss = head.loss().loss(*ctx, {logits, labels, head.loss().draws(*ctx, kRows, {1, 2})});
      REQUIRE(std::isfinite(loss.loss.value().to_vector<float>(*ctx)[0]));
      backward(*ctx, loss.loss);
      double size = 0;
      for (const float g : x.grad().to_vector<float>(*ctx)) size += double(g) * g;
      REQUIRE((size > 0 && std::isfinite(size)));
      double weights = 0;
      for (const float g :
           store.find("roi_heads.box_predictor.cls_score.weight")->variable.grad().to_vector<float>(*ctx)) {
        weights += double(g) * g;
      }
      REQUIRE((weights > 0 && std::isfinite(weights)));
    }
  }
}

TEST_CASE("equal weights are for a linear classifier: a normalised one begins with directions that differ") {
  for (const bool normalized : {false, true}) {
    BoxHeadOptions options = with_loss("gol");
    if (!normalized) options.normalized.reset();
    Context& ctx = cpu_context();
    ParameterStore store(ctx, 3);
    const BoxHead head(Scope(store, "roi_heads"), 4, options);
    const std::vector<double> weights = to_doubles(ctx, head.classifier().weight.value());
    double squares = 0;
    for (const double w : weights) squares += w * w;
    REQUIRE(std::sqrt(squares / double(weights.size())) == Approx(normalized ? 0.01 : 0.001).epsilon(0.01));
    REQUIRE((weights[0] == weights[1]) == !normalized);
    for (const double b : to_doubles(ctx, head.classifier().bias.value())) REQUIRE(b == -2);
  }
}

TEST_CASE("a normalised classifier refuses to begin with weights that are all zero") {
  BoxHeadOptions options = with_loss("softmax");
  options.loss.options("softmax").init = "normal";
  options.loss.options("softmax").init_scale = 0;
  ParameterStore store(cpu_context(), 3);
  REQUIRE_THROWS_WITH(BoxHead(Scope(store, "roi_heads"), 4, options), Catch::Contains("normalised"));
}

TEST_CASE("a cascade's stages have names of their own, the loss's state among them") {
  BoxHeadOptions options = with_loss("seesaw");
  options.stage = ".1";
  ParameterStore store(cpu_context(), 3);
  const BoxHead head(Scope(store, "roi_heads"), 4, options);
  for (const char* name : {"box_head.1.fc6.weight", "box_head.1.fc7.bias", "box_predictor.1.cls_score.weight",
                           "box_predictor.1.bbox_pred.weight", "box_predictor.1.loss.counts"}) {
    INFO(name);
    REQUIRE(store.find(std::string("roi_heads.") + name));
  }
}
