// Means of each class's features: against sums, whatever the batches; distances and cosines by definition; a crew.
#include "detection/calibration/class_means.h"

#include <catch2/catch.hpp>

#include "detection/calibration/class_means_body.h"
#include "tests/crew.h"
#include "tests/run_both.h"
#include "tests/typed_tensor.h"

using namespace tailseg;

namespace {

constexpr int64_t kClasses = 4, kFeatures = 19, kRows = 23;  // class 3 is the background, class 2 is never met

std::vector<int32_t> some_labels() {
  std::vector<int32_t> labels;
  for (int32_t r = 0; r < kRows; ++r) labels.push_back(r % 5 == 0 ? 0 : r % 5 == 1 ? 1 : r % 7 == 2 ? -1 : 3);
  return labels;
}

// By summing up in long double.
std::vector<double> expected_means(const std::vector<double>& x, const std::vector<int32_t>& labels) {
  std::vector<double> means(kClasses * kFeatures, 0);
  for (int32_t c = 0; c < kClasses; ++c) {
    for (int64_t f = 0; f < kFeatures; ++f) {
      long double sum = 0;
      int64_t count = 0;
      for (size_t r = 0; r < labels.size(); ++r) {
        if (labels[r] != c) continue;
        sum += x[r * kFeatures + size_t(f)];
        ++count;
      }
      if (count > 0) means[size_t(c * kFeatures + f)] = double(sum / count);
    }
  }
  return means;
}

struct Learned {
  ParameterStore store;
  ClassMeans means;
  Learned(Context& ctx, DType dtype, bool cosine)
      : store(ctx, 1, dtype), means(Scope(store, "means"), kClasses, kFeatures, {cosine, {.temperature = 8}}) {}
};

}  // namespace

TEST_CASE("means are those of all rows together, in however many steps they come; state lies in the store") {
  const std::vector<double> x = wave<double>(kRows * kFeatures);
  const std::vector<int32_t> labels = some_labels();
  for (Context* ctx : devices()) {
    Learned learned(*ctx, DType::float32, true);
    for (const auto& [begin, end] : {std::pair<int64_t, int64_t>{0, 9}, {9, 10}, {10, kRows}}) {
      const std::vector<double> rows(x.begin() + begin * kFeatures, x.begin() + end * kFeatures);
      const std::vector<int32_t> some(labels.begin() + begin, labels.begin() + end);
      learned.means.add(*ctx, typed_tensor(*ctx, DType::float32, {end - begin, kFeatures}, rows),
                        Tensor::from(*ctx, {end - begin}, some));
    }
    const std::vector<double> got = to_doubles(*ctx, learned.means.mean()), expected = expected_means(x, labels);
    for (size_t i = 0; i < got.size(); ++i) CHECK(got[i] == Approx(expected[i]).margin(1e-6));
    std::vector<double> count(kClasses, 0);
    for (const int32_t label : labels) {
      if (label >= 0) ++count[size_t(label)];
    }
    CHECK(to_doubles(*ctx, learned.means.count()) == count);
    REQUIRE(learned.store.find("means.mean"));
    CHECK(learned.store.find("means.count")->buffer);
    CHECK_THROWS_AS(learned.means.add(*ctx, Tensor::zeros(*ctx, {2, 3}), Tensor::zeros(*ctx, {2}, DType::int32)),
                    Error);
  }
}

TEST_CASE("euclidean logits differ as half the squared distances do; cosines are cosines; the unseen never wins") {
  Context& ctx = cpu_context();
  const std::vector<double> x = wave<double>(kRows * kFeatures), queries = wave<double>(3 * kFeatures, 0.4);
  const std::vector<int32_t> labels = some_labels();
  const std::vector<double> m = expected_means(x, labels);
  for (const bool cosine : {false, true}) {
    Learned learned(ctx, DType::float64, cosine);
    learned.means.add(ctx, Tensor::from(ctx, {kRows, kFeatures}, x), Tensor::from(ctx, {kRows}, labels));
    const std::vector<double> z =
        to_doubles(ctx, learned.means.logits(ctx, Variable(Tensor::from(ctx, {3, kFeatures}, queries))).value());
    for (size_t r = 0; r < 3; ++r) {
      double distance[kClasses], angle[kClasses];
      for (size_t c = 0; c < kClasses; ++c) {
        double apart = 0, dot = 0, a = 0, b = 0;
        for (size_t f = 0; f < kFeatures; ++f) {
          const double q = queries[r * kFeatures + f], mean = m[c * kFeatures + f];
          apart += (q - mean) * (q - mean);
          dot += q * mean;
          a += q * q;
          b += mean * mean;
        }
        distance[c] = apart;
        angle[c] = dot / std::sqrt(a * b);
      }
      for (const size_t c : {0, 1, 3}) {
        if (cosine) CHECK(z[r * kClasses + c] == Approx(8 * angle[c]).epsilon(1e-5));
        if (!cosine)
          CHECK(z[r * kClasses + c] - z[r * kClasses] == Approx((distance[0] - distance[c]) / 2).margin(1e-9));
      }
      CHECK(z[r * kClasses + 2] < -1e8);
    }
  }
}

TEST_CASE("means on a crew are those of one lane, bit by bit") {
  const std::vector<float> x = wave<float>(kRows * kFeatures);
  const std::vector<int32_t> labels = some_labels();
  const auto run = [&](int lanes) {
    std::vector<float> mean(kClasses * kFeatures, 0.25f), count(kClasses, 2), bias(kClasses, -9);
    const AddToClassMean<float> body{x.data(), labels.data(), mean.data(), count.data(), kRows, kFeatures};
    const ClassMeanBias<float> constants{mean.data(), count.data(), bias.data(), kFeatures, 0, -5};
    if (lanes == 1) {
      run_solo(kClasses, body);
      run_solo(kClasses, constants);
    } else {
      crew::run(lanes, kClasses, body);
      crew::run(lanes, kClasses, constants);
    }
    mean.insert(mean.end(), count.begin(), count.end());
    mean.insert(mean.end(), bias.begin(), bias.end());
    return mean;
  };
  CHECK(run(1) == run(5));
  CHECK(run(1)[kClasses * kFeatures] == 7);  // 2, and rows 0, 5, 10, 15, 20
}
