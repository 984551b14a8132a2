// Class-selective predictors equal the full layer followed by a pick, in value and in every gradient.
#include "detection/selective_predictor.h"

#include "detection/selective_predictor_body.h"
#include "tests/crew.h"
#include "tests/gradient_check.h"
#include "tests/typed_tensor.h"

using namespace tailseg;
namespace gc = gradient_check;

namespace {

struct Full {  // by the definition, in float64
  std::vector<double> y, dx, dw, db;
};

// x [R, P, F], w [K * J, F], b [K * J], dy [R, P, J].
Full full_then_pick(const std::vector<double>& x, const std::vector<double>& w, const std::vector<double>& b,
                    const std::vector<double>& dy, const std::vector<int32_t>& labels, size_t positions, size_t outputs,
                    size_t features) {
  const size_t rois = labels.size(), rows = b.size(), classes = rows / outputs;
  Full out{std::vector<double>(rois * positions * outputs), std::vector<double>(x.size()),
           std::vector<double>(w.size()), std::vector<double>(b.size())};
  for (size_t r = 0; r < rois; ++r) {
    for (size_t p = 0; p < positions; ++p) {
      std::vector<double> all(rows), dall(rows, 0.0);  // the full layer's outputs and their gradient
      const double* row = &x[(r * positions + p) * features];
      for (size_t o = 0; o < rows; ++o) {
        all[o] = b[o];
        for (size_t f = 0; f < features; ++f) all[o] += w[o * features + f] * row[f];
      }
      int64_t k = labels[r];
      if (k >= 0 && classes == 1) k = 0;
      if (k < 0 || k >= int64_t(classes)) continue;
      for (size_t j = 0; j < outputs; ++j) {
        out.y[(r * positions + p) * outputs + j] = all[size_t(k) * outputs + j];
        dall[size_t(k) * outputs + j] = dy[(r * positions + p) * outputs + j];
      }
      for (size_t o = 0; o < rows; ++o) {
        out.db[o] += dall[o];
        for (size_t f = 0; f < features; ++f) {
          out.dw[o * features + f] += dall[o] * row[f];
          out.dx[(r * positions + p) * features + f] += dall[o] * w[o * features + f];
        }
      }
    }
  }
  return out;
}

void require_near(Context& ctx, const Tensor& tensor, const std::vector<double>& expected, double tolerance) {
  const std::vector<double> got = to_doubles(ctx, tensor);
  REQUIRE(got.size() == expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    INFO("element " << i);
    REQUIRE(std::abs(got[i] - expected[i]) <= tolerance * (1 + std::abs(expected[i])));
  }
}

struct Case {
  std::vector<int32_t> labels;
  int64_t classes, positions, outputs, features;
};

void compare_with_full_layer(Context& ctx, DType dtype, const Case& c) {
  const double tolerance = dtype == DType::float64 ? 1e-12 : dtype == DType::float32 ? 2e-5 : 5e-2;
  auto variable = [&](const Shape& shape, const std::vector<double>& values) {
    return Variable(typed_tensor(ctx, dtype, shape, values), true);
  };
  const auto rois = int64_t(c.labels.size());
  const std::vector<double> x = gc::values(rois * c.positions * c.positions * c.features, 1),
                            w = gc::values(c.classes * c.outputs * c.features, 2),
                            b = gc::values(c.classes * c.outputs, 3),
                            dy = gc::values(rois * c.positions * c.positions * c.outputs, 4);
  const Full expected =
      full_then_pick(x, w, b, dy, c.labels, size_t(c.positions * c.positions), size_t(c.outputs), size_t(c.features));
  const Tensor labels = Tensor::from(ctx, {rois}, c.labels);
  const Variable bias = variable({c.classes * c.outputs}, b);
  Variable features, weight, y;
  if (c.outputs == 1) {
    features = variable({rois, c.positions, c.positions, c.features}, x);
    weight = variable({c.classes, 1, 1, c.features}, w);
    y = selective_mask(ctx, features, weight, bias, labels);
    REQUIRE(y.shape() == Shape{rois, c.positions, c.positions});
  } else {
    features = variable({rois, c.features}, x);
    weight = variable({4 * c.classes, c.features}, w);
    y = selective_deltas(ctx, features, weight, bias, labels);
    REQUIRE(y.shape() == Shape{rois, 4});
  }
  require_near(ctx, y.value(), expected.y, tolerance);
  backward(ctx, y, variable(y.shape(), dy).value());
  require_near(ctx, features.grad(), expected.dx, tolerance);
  require_near(ctx, weight.grad(), expected.dw, tolerance);
  require_near(ctx, bias.grad(), expected.db, tolerance);
}

const std::vector<int32_t> kLabels{2, -1, 0, 2, 4, 7, 2, 0, -1, 4};  // of 5 classes: 1 and 3 empty, 7 out of range

std::vector<Case> cases() {
  std::vector<int32_t> many;
  for (double v : gc::values(60, 9, -5, 1203)) many.push_back(int32_t(std::floor(v)));
  return {{kLabels, 5, 6, 1, 33}, {kLabels, 5, 1, 4, 33},  {kLabels, 1, 6, 1, 33},    {kLabels, 1, 1, 4, 33},
          {many, 1203, 2, 1, 17}, {many, 1203, 1, 4, 300}, {{-1, -1}, 5, 3, 1, 8},    {{5, -1}, 5, 1, 4, 8},
          {{}, 5, 3, 1, 8},       {{}, 5, 1, 4, 8},        {{0, 1, 1}, 2, 4, 1, 256}, {{1, 1, 1, 1}, 2, 1, 4, 1024}};
}

}  // namespace

TEST_CASE("selective predictors equal the full layer followed by a pick") {
  for (const Case& c : cases()) {
    for_each_device_and_type([&](Context& ctx, DType dtype) {
      INFO(ctx.device().name() << " " << name_of(dtype) << ": " << c.classes << " classes, " << c.outputs
                               << " outputs, " << c.labels.size() << " RoIs");
      compare_with_full_layer(ctx, dtype, c);
    });
  }
}

TEST_CASE("selective predictors' gradients") {
  Context ctx;
  const Tensor labels = Tensor::from(ctx, {int64_t(kLabels.size())}, kLabels);
  const auto rois = int64_t(kLabels.size());
  for (int64_t classes : {1, 5}) {
    gc::run(
        ctx,
        [&](Context& c, const gc::Leaves& in) { return gc::probe(c, selective_mask(c, in[0], in[1], in[2], labels)); },
        {gc::leaf(ctx, {rois, 2, 3, 4}, 1), gc::leaf(ctx, {classes, 1, 1, 4}, 2), gc::leaf(ctx, {classes}, 3)});
    gc::run(ctx,
            [&](Context& c, const gc::Leaves& in) {
              return gc::probe(c, selective_deltas(c, in[0], in[1], in[2], labels));
            },
            {gc::leaf(ctx, {rois, 6}, 1), gc::leaf(ctx, {4 * classes, 6}, 2), gc::leaf(ctx, {4 * classes}, 3)});
  }
}

TEST_CASE("selective predictors give the same bits at any number of threads") {
  const int64_t rois = 40, size = 14, channels = 64;
  std::vector<int32_t> labels;
  for (double v : gc::values(rois, 9, -1, 6)) labels.push_back(int32_t(std::floor(v)));
  std::vector<std::vector<float>> first;
  for (int threads : {1, 2, 5}) {
    Context ctx({}, {.threads = threads});
    auto variable = [&](const Shape& shape, const std::vector<double>& values) {
      return Variable(typed_tensor(ctx, DType::float32, shape, values), true);
    };
    const Variable x = variable({rois, size, size, channels}, gc::values(rois * size * size * channels, 1)),
                   w = variable({6, 1, 1, channels}, gc::values(6 * channels, 2)), b = variable({6}, gc::values(6, 3));
    const Variable y = selective_mask(ctx, x, w, b, Tensor::from(ctx, {rois}, labels));
    backward(ctx, y, variable(y.shape(), gc::values(rois * size * size, 4)).value());
    std::vector<std::vector<float>> all;
    for (const Tensor& t : {y.value(), x.grad(), w.grad(), b.grad()}) all.push_back(t.to_vector<float>(ctx));
    if (first.empty()) first = all;
    REQUIRE(first == all);
  }
}

TEST_CASE("selective predictors refuse what does not fit") {
  Context ctx;
  const Variable x = gc::leaf(ctx, {3, 2, 2, 4}, 1), w = gc::leaf(ctx, {5, 1, 1, 4}, 2), b = gc::leaf(ctx, {5}, 3);
  const Tensor labels = Tensor::zeros(ctx, {3}, DType::int32);
  REQUIRE_THROWS_AS(selective_mask(ctx, x, gc::leaf(ctx, {5, 1, 1, 3}, 2), b, labels), Error);
  REQUIRE_THROWS_AS(selective_mask(ctx, x, w, gc::leaf(ctx, {4}, 3), labels), Error);
  REQUIRE_THROWS_AS(selective_mask(ctx, x, w, b, Tensor::zeros(ctx, {2}, DType::int32)), Error);
  REQUIRE_THROWS_AS(selective_mask(ctx, x, w, b, Tensor::zeros(ctx, {3}, DType::int64)), Error);
  const Variable flat = gc::leaf(ctx, {3, 4}, 1);
  REQUIRE_THROWS_AS(selective_deltas(ctx, flat, gc::leaf(ctx, {6, 4}, 2), gc::leaf(ctx, {6}, 3), labels), Error);
}

TEST_CASE("selective predictors' bodies agree on one lane and on a crew") {
  const int64_t rois = 10, positions = 6, outputs = 2, features = 35, classes = 5, tile = 4, tiles = 2;
  const SelectiveShape shape{rois, positions, outputs, features, classes, tile, tiles};
  auto floats = [](int64_t n, uint64_t seed) {
    const std::vector<double> v = gc::values(n, seed);
    return std::vector<float>(v.begin(), v.end());
  };
  const std::vector<float> x = floats(rois * positions * features, 1), w = floats(classes * outputs * features, 2),
                           b = floats(classes * outputs, 3), dy = floats(rois * positions * outputs, 4);
  struct Result {
    std::vector<float> y = std::vector<float>(rois * positions * outputs, NAN);
    std::vector<float> dx = std::vector<float>(rois * positions * features, NAN);
    std::vector<float> dw = std::vector<float>(classes * outputs * features, NAN);
    std::vector<float> db = std::vector<float>(classes * outputs, NAN);
    std::vector<float> dw_tiles = std::vector<float>(rois * tiles * outputs * features, NAN);
    std::vector<float> db_tiles = std::vector<float>(rois * tiles * outputs, NAN);
  };
  auto with = [&](auto run) {
    Result r;
    run(rois * tiles, SelectiveForward<float>{shape, x.data(), w.data(), b.data(), kLabels.data(), r.y.data()});
    run(rois * tiles, SelectiveBackward<float>{shape, x.data(), w.data(), dy.data(), kLabels.data(), r.dx.data(),
                                               r.dw_tiles.data(), r.db_tiles.data()});
    run(classes, SelectiveFilterGradient<float>{shape, kLabels.data(), r.dw_tiles.data(), r.db_tiles.data(),
                                                r.dw.data(), r.db.data()});
    return r;
  };
  const Result solo = with([](int64_t items, const auto& body) {
    for (int64_t item = 0; item < items; ++item) body(Solo{}, item);
  });
  const Result crews = with([](int64_t items, const auto& body) { crew::run(4, items, body); });
  REQUIRE(solo.dx == crews.dx);  // no sum goes over lanes in these
  REQUIRE(solo.dw == crews.dw);
  auto close = [](const std::vector<float>& a, const std::vector<float>& c) {
    for (size_t i = 0; i < a.size(); ++i) REQUIRE(a[i] == Approx(c[i]).margin(1e-5));
  };
  close(solo.y, crews.y);
  close(solo.db, crews.db);
}
