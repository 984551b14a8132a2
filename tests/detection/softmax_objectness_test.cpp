// Cross-entropy with the objectness branch, and the two forms of the loss "softmax" against METHODS 1.1 and 2.3.
#include "detection/losses/softmax_cross_entropy.h"
#include "detection/losses/softmax_cross_entropy_body.h"
#include "detection/losses/softmax_scores.h"
#include "detection/losses/softmax_scores_body.h"
#include "tests/detection/loss_check.h"

using namespace tailseg;
using namespace tailseg::loss_check;

namespace {

// -log softmax(z[first .. first + n))_target, and its gradient added to g.
Long cross_entropy(const Input& in, int64_t row, int64_t first, int64_t n, int64_t target, Expected& out) {
  Long sum = 0;
  for (int64_t j = 0; j < n; ++j) sum += std::exp(in.at(row, first + j));
  for (int64_t j = 0; j < n; ++j) {
    const Long p = std::exp(in.at(row, first + j)) / sum;
    out.gradient[size_t(row * in.width + first + j)] = double((p - (j == target)) / in.normaliser());
  }
  return -std::log(std::exp(in.at(row, first + target)) / sum);
}

Expected with_branch(const Input& in) {
  Expected out = in.nothing();
  Long total = 0;
  for (int64_t r = 0; r < in.rows(); ++r) {
    if (in.label(r) < 0) continue;
    const bool object = in.label(r) < in.classes;
    if (object) total += cross_entropy(in, r, 0, in.classes, in.label(r), out);
    total += cross_entropy(in, r, in.classes, 2, object ? 0 : 1, out);
  }
  out.loss = double(total / in.normaliser());
  return out;
}

Expected plain(const Input& in) {
  Expected out = in.nothing();
  Long total = 0;
  for (int64_t r = 0; r < in.rows(); ++r) {
    if (in.label(r) >= 0) total += cross_entropy(in, r, 0, in.width, in.label(r), out);
  }
  out.loss = double(total / in.normaliser());
  return out;
}

SoftmaxOptions options_with(bool objectness) {
  SoftmaxOptions options;
  options.objectness = objectness;
  return options;
}

}  // namespace

TEST_CASE("softmax loss: both forms equal their definitions") {
  check_against(plain, options_with(false));
  check_against(with_branch, options_with(true));
}

TEST_CASE("softmax loss: gradients by differences") {
  for (const Case& c : {cases()[0], cases()[1], cases()[3], Case{"logits of 100", 5, 6, 100}}) {
    check_gradient(options_with(false), c);
    check_gradient(options_with(true), c);
  }
}

TEST_CASE("softmax with objectness by hand: loss, hits, scores") {
  // Classes (1/4, 3/4), branch 1/5 foreground.
  const std::vector<double> z{0, std::log(3.0), 0, std::log(4.0)};
  const Result object = one_row(options_with(true), 2, z, 1), background = one_row(options_with(true), 2, z, 2);
  REQUIRE(object.loss == Approx(std::log(4.0 / 3) + std::log(5.0)));
  REQUIRE(object.counts == std::vector<int32_t>{1, 0});
  REQUIRE(object.gradient[2] == Approx(-0.8));
  REQUIRE(background.loss == Approx(std::log(1.25)));
  REQUIRE(background.counts == std::vector<int32_t>{1, 1});
  REQUIRE(background.gradient[0] == 0);
  REQUIRE(background.gradient[3] == Approx(-0.2));
  for (Context* ctx : devices()) {
    const Tensor row = Tensor::from(*ctx, {1, 4}, std::vector<float>(z.begin(), z.end()));
    const auto s = softmax_objectness_scores(*ctx, row).to_vector<float>(*ctx);
    REQUIRE(s.size() == 2);
    REQUIRE(s[0] == Approx(0.05));
    REQUIRE(s[1] == Approx(0.15));
  }
}

TEST_CASE("softmax with objectness: the bodies agree on one lane and on a crew") {
  const Case c{"mixed", 35, 9, 4};
  const std::vector<double> z = logits_of(c, 37);
  const std::vector<int32_t> labels = labels_of(c);
  struct Out {
    std::vector<double> gradient = std::vector<double>(9 * 37, NAN), values = std::vector<double>(9, NAN);
    std::vector<double> scores = std::vector<double>(9 * 35, NAN);
    std::vector<int32_t> hits = std::vector<int32_t>(9, -7);
  } solo, crews;
  const auto row = [&](Out& o) {
    return SoftmaxObjectnessRow<double>{
        {z.data(), labels.data(), o.gradient.data(), o.values.data(), o.hits.data(), 37, 35}};
  };
  run_solo(9, row(solo));
  crew::run(6, 9, row(crews));
  run_solo(9, SoftmaxScores<double>{z.data(), solo.scores.data(), 35, 1, true});
  crew::run(6, 9, SoftmaxScores<double>{z.data(), crews.scores.data(), 35, 1, true});
  REQUIRE(solo.hits == crews.hits);
  for (size_t i = 0; i < solo.gradient.size(); ++i)
    REQUIRE(crews.gradient[i] == Approx(solo.gradient[i]).margin(1e-15));
  for (size_t i = 0; i < 9; ++i) REQUIRE(crews.values[i] == Approx(solo.values[i]));
  for (size_t i = 0; i < solo.scores.size(); ++i) REQUIRE(crews.scores[i] == Approx(solo.scores[i]));
}
