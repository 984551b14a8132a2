// The oracle: every class on its own - threshold, sort, greedy suppression - then the best of all classes together.
#include "detection/postprocess.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <random>

#include "detection/losses/softmax_scores.h"
#include "detection/losses/softmax_scores_body.h"
#include "detection/postprocess_body.h"
#include "tests/crew.h"
#include "tests/devices.h"

using namespace tailseg;

namespace {

struct Case {
  int64_t images = 2, proposals = 40, classes = 5;
  std::vector<float> scores, deltas, boxes;
  std::vector<int32_t> count, image_sizes{200, 300, 180, 260}, photo_sizes{400, 600, 360, 520};

  Case(int64_t p, int64_t c, unsigned seed, bool agnostic, int64_t coarse_scores) : proposals(p), classes(c) {
    std::mt19937 random(seed);
    std::uniform_real_distribution<float> u(0, 1);
    for (int64_t i = 0; i < images * proposals; ++i) {
      const float x = 250 * u(random), y = 170 * u(random);
      const float w = 5 + 80 * u(random), h = 5 + 80 * u(random);
      boxes.insert(boxes.end(), {x, y, x + w, y + h});
      for (int64_t j = 0; j < (agnostic ? 4 : 4 * classes); ++j) deltas.push_back(2 * u(random) - 1);
      for (int64_t j = 0; j < classes; ++j) {
        // A few equal scores, so that the order of equals is tested too.
        scores.push_back(coarse_scores ? std::floor(u(random) * float(coarse_scores)) / float(coarse_scores)
                                       : u(random));
      }
    }
    count = {int32_t(proposals), int32_t(proposals - 7)};
  }
};

struct Found {
  float box[4];
  float score;
  int32_t label;
};

double overlap_of(const float* a, const float* b) {
  const float w = std::max(std::min(a[2], b[2]) - std::max(a[0], b[0]), 0.f);
  const float h = std::max(std::min(a[3], b[3]) - std::max(a[1], b[1]), 0.f);
  const float shared = w * h;
  const float area = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared;
  return shared / area;
}

std::vector<Found> oracle(const Case& c, int64_t n, const PostprocessOptions& options) {
  struct Candidate {
    Found found;
    float nms_box[4];
    int64_t order;
  };
  std::vector<Candidate> all;
  const bool agnostic = int64_t(c.deltas.size()) == c.images * c.proposals * 4 && c.classes > 1;
  const float height = float(c.image_sizes[size_t(n * 2)]), width = float(c.image_sizes[size_t(n * 2 + 1)]);
  const float sx = float(c.photo_sizes[size_t(n * 2 + 1)]) / width, sy = float(c.photo_sizes[size_t(n * 2)]) / height;
  for (int64_t p = 0; p < c.count[size_t(n)]; ++p) {
    for (int64_t k = 0; k < c.classes; ++k) {
      const int64_t row = n * c.proposals + p;
      const float score = c.scores[size_t(row * c.classes + k)];
      if (!(score > float(options.score_threshold))) continue;
      const float* d = c.deltas.data() + (agnostic ? row * 4 : (row * c.classes + k) * 4);
      const float* b = c.boxes.data() + row * 4;
      const float w = b[2] - b[0], h = b[3] - b[1];
      const float limit = float(options.coder.largest_log);
      const float x = b[0] + w / 2 + d[0] / 10 * w, y = b[1] + h / 2 + d[1] / 10 * h;
      const float dw = std::clamp(d[2] / 5, -limit, limit), dh = std::clamp(d[3] / 5, -limit, limit);
      const float hw = w * std::exp(dw) / 2, hh = h * std::exp(dh) / 2;
      const float net[4] = {std::clamp(x - hw, 0.f, width), std::clamp(y - hh, 0.f, height),
                            std::clamp(x + hw, 0.f, width), std::clamp(y + hh, 0.f, height)};
      if (net[2] - net[0] < float(options.smallest_side) || net[3] - net[1] < float(options.smallest_side)) continue;
      Candidate candidate{
          {{net[0] * sx, net[1] * sy, net[2] * sx, net[3] * sy}, score, int32_t(k)}, {}, p * c.classes + k};
      for (int i = 0; i < 4; ++i) candidate.nms_box[i] = options.rescale_before_nms ? candidate.found.box[i] : net[i];
      all.push_back(candidate);
    }
  }
  auto better = [](const Candidate& a, const Candidate& b) {
    return a.found.score != b.found.score ? a.found.score > b.found.score : a.order < b.order;
  };
  std::vector<Candidate> kept;
  for (int32_t k = 0; k < c.classes; ++k) {
    std::vector<Candidate> mine;
    for (const Candidate& x : all) {
      if (x.found.label == k) mine.push_back(x);
    }
    std::sort(mine.begin(), mine.end(), better);
    std::vector<Candidate> survivors;
    for (const Candidate& x : mine) {
      const bool suppressed = std::any_of(survivors.begin(), survivors.end(), [&](const Candidate& s) {
        return overlap_of(s.nms_box, x.nms_box) > options.nms_threshold;
      });
      if (!suppressed) survivors.push_back(x);
    }
    kept.insert(kept.end(), survivors.begin(), survivors.end());
  }
  std::sort(kept.begin(), kept.end(), better);
  if (int64_t(kept.size()) > options.max_detections) kept.resize(size_t(options.max_detections));
  std::vector<Found> out;
  for (const Candidate& x : kept) out.push_back(x.found);
  return out;
}

// With filter_of, classes of one set have equal deltas in `c`, and the op sees each set's once.
void compare(Context& ctx, const Case& c, const PostprocessOptions& options,
             const std::vector<int32_t>& filter_of = {}) {
  BoxSet proposals;
  proposals.boxes = Tensor::from(ctx, {c.images, c.proposals, 4}, c.boxes);
  proposals.count = Tensor::from(ctx, {c.images}, c.count);
  const int64_t rows = c.images * c.proposals;
  std::vector<float> deltas = filter_of.empty() ? c.deltas : std::vector<float>();
  for (int64_t row = 0; row < rows && !filter_of.empty(); ++row) {
    for (int32_t set = 0; set <= *std::max_element(filter_of.begin(), filter_of.end()); ++set) {
      const auto k = std::find(filter_of.begin(), filter_of.end(), set) - filter_of.begin();
      const auto from = c.deltas.begin() + (row * c.classes + k) * 4;
      deltas.insert(deltas.end(), from, from + 4);
    }
  }
  PostprocessInput input{
      Tensor::from(ctx, {rows, c.classes}, c.scores), Tensor::from(ctx, {rows, int64_t(deltas.size()) / rows}, deltas),
      &proposals, Tensor::from(ctx, {c.images, 2}, c.image_sizes), Tensor::from(ctx, {c.images, 2}, c.photo_sizes)};
  if (!filter_of.empty()) input.filter_of = Tensor::from(ctx, {int64_t(filter_of.size())}, filter_of);
  const BatchDetections got = postprocess(ctx, input, options);
  const auto boxes = got.photo.boxes.to_vector<float>(ctx);
  const auto scores = got.photo.scores.to_vector<float>(ctx);
  const auto labels = got.photo.labels.to_vector<int32_t>(ctx);
  const auto count = got.photo.count.to_vector<int32_t>(ctx);
  for (int64_t n = 0; n < c.images; ++n) {
    const std::vector<Found> expected = oracle(c, n, options);
    REQUIRE(count[size_t(n)] == int32_t(expected.size()));
    for (int64_t i = 0; i < options.max_detections; ++i) {
      const auto at = size_t(n * options.max_detections + i);
      if (i >= int64_t(expected.size())) {
        REQUIRE(labels[at] == -1);
        continue;
      }
      REQUIRE(labels[at] == expected[size_t(i)].label);
      REQUIRE(scores[at] == expected[size_t(i)].score);
      for (size_t j = 0; j < 4; ++j) REQUIRE(boxes[at * 4 + j] == Approx(expected[size_t(i)].box[j]).margin(1e-3));
    }
  }
}

}  // namespace

TEST_CASE("postprocessing equals per-class suppression followed by the best of all") {
  for (Context* ctx : devices()) {
    for (unsigned seed = 0; seed < 6; ++seed) {
      compare(*ctx, Case(40, 5, seed, seed % 2 == 1, seed < 3 ? 0 : 20),
              {.score_threshold = 0.3, .max_detections = 17});
      compare(*ctx, Case(40, 5, seed, false, 0),
              {.score_threshold = 0.05, .smallest_side = 4, .rescale_before_nms = false});
    }
  }
}

TEST_CASE("classes that share their deltas are decoded as if each had its own") {
  const std::vector<int32_t> filter_of{0, 3, 1, 3, 2};
  for (Context* ctx : devices()) {
    for (unsigned seed = 0; seed < 3; ++seed) {
      Case c(40, 5, seed, false, 0);
      for (size_t row = 0; row < c.deltas.size(); row += 20) {
        std::copy_n(c.deltas.begin() + std::ptrdiff_t(row) + 4, 4, c.deltas.begin() + std::ptrdiff_t(row) + 12);
      }
      compare(*ctx, c, {.score_threshold = 0.3, .max_detections = 17}, filter_of);
    }
  }
}

TEST_CASE("more candidates are fetched when the best few thousand leave too few survivors") {
  // 700 proposals x 20 classes, all of them above the threshold, heavy overlap allowed only below 0.1.
  compare(cpu_context(), Case(700, 20, 3, false, 0),
          {.score_threshold = 1e-4, .nms_threshold = 0.02, .max_detections = 1500});
}

TEST_CASE("no proposals, scores that are not numbers, and boxes that are not") {
  Context& ctx = cpu_context();
  Case c(10, 3, 1, false, 0);
  c.count = {0, 10};
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (size_t i = 30; i < 45; ++i) c.scores[i] = nan;
  compare(ctx, c, {.score_threshold = 0.2, .max_detections = 8});
  for (float& d : c.deltas) d = nan;
  BoxSet proposals;
  proposals.boxes = Tensor::from(ctx, {c.images, c.proposals, 4}, c.boxes);
  proposals.count = Tensor::from(ctx, {c.images}, c.count);
  const PostprocessInput input{Tensor::from(ctx, {20, 3}, c.scores), Tensor::from(ctx, {20, 12}, c.deltas), &proposals,
                               Tensor::from(ctx, {2, 2}, c.image_sizes), Tensor::from(ctx, {2, 2}, c.photo_sizes)};
  REQUIRE(postprocess(ctx, input, {}).photo.count.to_vector<int32_t>(ctx) == std::vector<int32_t>{0, 0});
}

TEST_CASE("softmax scores are probabilities without the background, on extreme logits too") {
  for (Context* ctx : devices()) {
    const std::vector<float> z{1, 2, 0.5f, -100, 100, 100, 0, 0, 0};
    const auto p = softmax_scores(*ctx, Tensor::from(*ctx, {3, 3}, z)).to_vector<float>(*ctx);
    const double total = std::exp(1.0) + std::exp(2.0) + std::exp(0.5);
    REQUIRE(p[0] == Approx(std::exp(1.0) / total).epsilon(1e-6));
    REQUIRE(p[1] == Approx(std::exp(2.0) / total).epsilon(1e-6));
    REQUIRE(p[2] == 0.f);
    REQUIRE(p[3] == Approx(0.5));
    REQUIRE(p[5] == Approx(1.0 / 3).epsilon(1e-6));
  }
}

TEST_CASE("the bodies of postprocessing give the same on a crew") {
  std::vector<double> z(5 * 9), solo(5 * 8), crew(5 * 8), keys(40), keys_crew(40);
  for (size_t i = 0; i < z.size(); ++i) z[i] = std::sin(double(i)) * 30;
  for (int64_t row = 0; row < 5; ++row) SoftmaxScores<double>{z.data(), solo.data(), 8}(Solo{}, row);
  crew::run(4, 5, SoftmaxScores<double>{z.data(), crew.data(), 8});
  for (size_t i = 0; i < solo.size(); ++i) REQUIRE(solo[i] == Approx(crew[i]).epsilon(1e-12));
  const std::vector<int32_t> count{3};
  for (int64_t row = 0; row < 5; ++row) {
    CandidateKeys<double>{solo.data(), count.data(), keys.data(), 5, 8, 0.1}(Solo{}, row);
  }
  crew::run(3, 5, CandidateKeys<double>{solo.data(), count.data(), keys_crew.data(), 5, 8, 0.1});
  REQUIRE(keys == keys_crew);
  for (size_t i = 24; i < 40; ++i) REQUIRE(keys[i] == -std::numeric_limits<double>::infinity());
}
