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
      int64_t k = labels[r];  // of filters
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
  std::vector<int32_t> filter_of = {};  // the filters of each class
  bool normalized = false;
};

const NormalizedOptions kNorm{.temperature = 7, .power = 1, .eps = 0.02};

// METHODS 2.1: rows times tau / (n + eps), and their backward formula tau (g / m - x (g . x) / (n m^2)).
std::vector<double> normalized_rows(const std::vector<double>& x, size_t features, double tau) {
  std::vector<double> out(x.size());
  for (size_t begin = 0; begin < x.size(); begin += features) {
    double squares = 0;
    for (size_t f = 0; f < features; ++f) squares += x[begin + f] * x[begin + f];
    for (size_t f = 0; f < features; ++f) out[begin + f] = tau * x[begin + f] / (std::sqrt(squares) + kNorm.eps);
  }
  return out;
}

std::vector<double> normalized_rows_backward(const std::vector<double>& x, const std::vector<double>& g,
                                             size_t features, double tau) {
  std::vector<double> out(x.size());
  for (size_t begin = 0; begin < x.size(); begin += features) {
    double squares = 0, along = 0;
    for (size_t f = 0; f < features; ++f) squares += x[begin + f] * x[begin + f];
    for (size_t f = 0; f < features; ++f) along += x[begin + f] * g[begin + f];
    const double n = std::sqrt(squares), m = n + kNorm.eps;
    for (size_t f = 0; f < features; ++f) {
      out[begin + f] = tau * (g[begin + f] / m - x[begin + f] * along / (n * m * m));
    }
  }
  return out;
}

Full expected_of(const Case& c, const std::vector<double>& x, const std::vector<double>& w,
                 const std::vector<double>& b, const std::vector<double>& dy) {
  std::vector<int32_t> filters = c.labels;
  const auto known = int32_t(c.filter_of.size());
  for (int32_t& k : filters) {
    if (known > 0) k = k >= 0 && k < known ? c.filter_of[size_t(k)] : -1;
  }
  const auto positions = size_t(c.positions * c.positions), features = size_t(c.features), outputs = size_t(c.outputs);
  if (!c.normalized) return full_then_pick(x, w, b, dy, filters, positions, outputs, features);
  Full out = full_then_pick(normalized_rows(x, features, kNorm.temperature), normalized_rows(w, features, 1), b, dy,
                            filters, positions, outputs, features);
  out.dx = normalized_rows_backward(x, out.dx, features, kNorm.temperature);
  out.dw = normalized_rows_backward(w, out.dw, features, 1);
  return out;
}

void compare_with_full_layer(Context& ctx, DType dtype, const Case& c) {
  const double rounding = dtype == DType::float64 ? 1e-12 : dtype == DType::float32 ? 2e-5 : 5e-2;
  const double tolerance = c.normalized ? 4 * rounding : rounding;  // filters are rounded once more
  auto variable = [&](DType type, const Shape& shape, const std::vector<double>& values) {
    return Variable(typed_tensor(ctx, type, shape, values), true);
  };
  const auto rois = int64_t(c.labels.size());
  const DType full = compute_dtype(dtype);  // of parameters and results
  const std::vector<double> x = gc::values(rois * c.positions * c.positions * c.features, 1),
                            w = gc::values(c.classes * c.outputs * c.features, 2),
                            b = gc::values(c.classes * c.outputs, 3),
                            dy = gc::values(rois * c.positions * c.positions * c.outputs, 4);
  const Full expected = expected_of(c, x, w, b, dy);
  SelectiveOptions options;
  if (!c.filter_of.empty()) options.filter_of = Tensor::from(ctx, {int64_t(c.filter_of.size())}, c.filter_of);
  if (c.normalized) options.normalized = &kNorm;
  const Tensor labels = Tensor::from(ctx, {rois}, c.labels);
  const Variable bias = variable(full, {c.classes * c.outputs}, b);
  Variable features, weight, y;
  if (c.outputs == 1) {
    features = variable(dtype, {rois, c.positions, c.positions, c.features}, x);
    weight = variable(full, {c.classes, 1, 1, c.features}, w);
    y = selective_mask(ctx, features, weight, bias, labels, options);
    REQUIRE(y.shape() == Shape{rois, c.positions, c.positions});
  } else {
    features = variable(dtype, {rois, c.features}, x);
    weight = variable(full, {4 * c.classes, c.features}, w);
    y = selective_deltas(ctx, features, weight, bias, labels, options);
    REQUIRE(y.shape() == Shape{rois, 4});
  }
  require_near(ctx, y.value(), expected.y, tolerance);
  REQUIRE(y.value().dtype() == full);
  backward(ctx, y, variable(full, y.shape(), dy).value());
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

// Five classes of which 1, 3 and 4 share the last of three sets; one set for all, given as such; a long tail.
std::vector<Case> shared_cases() {
  std::vector<int32_t> many, sets;
  for (double v : gc::values(60, 9, -5, 1204)) many.push_back(int32_t(std::floor(v)));
  for (int32_t k = 0; k < 1203; ++k) sets.push_back(std::min(k, 40));
  const std::vector<int32_t> tail{0, 2, 1, 2, 2};
  return {{kLabels, 3, 6, 1, 33, tail},       {kLabels, 3, 1, 4, 33, tail},     {kLabels, 1, 3, 1, 9, {0, 0, 0, 0, 0}},
          {many, 41, 2, 1, 17, sets},         {many, 41, 1, 4, 40, sets},       {kLabels, 5, 6, 1, 33, {}, true},
          {kLabels, 3, 2, 1, 64, tail, true}, {kLabels, 1, 3, 1, 20, {}, true}, {{-1, 5}, 5, 2, 1, 8, {}, true}};
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

TEST_CASE("shared filters and normalised masks equal the full layer followed by a pick") {
  for (const Case& c : shared_cases()) {
    for_each_device_and_type([&](Context& ctx, DType dtype) {
      INFO(ctx.device().name() << " " << name_of(dtype) << ": " << c.classes << " sets, " << c.outputs << " outputs, "
                               << c.labels.size() << " RoIs, normalised " << c.normalized);
      compare_with_full_layer(ctx, dtype, c);
    });
  }
}

TEST_CASE("normalised and shared selective predictors' gradients") {
  Context ctx;
  const Tensor labels = Tensor::from(ctx, {int64_t(kLabels.size())}, kLabels);
  const Tensor tail = Tensor::from(ctx, {5}, std::vector<int32_t>{0, 2, 1, 2, 2});
  const auto rois = int64_t(kLabels.size());
  for (const double power : {1.0, 0.5}) {
    const NormalizedOptions norm{.temperature = 3, .power = power, .eps = 0.01};
    gc::run(ctx,
            [&](Context& c, const gc::Leaves& in) {
              return gc::probe(c, selective_mask(c, in[0], in[1], in[2], labels, {tail, &norm}));
            },
            {gc::leaf(ctx, {rois, 2, 3, 5}, 1), gc::leaf(ctx, {3, 1, 1, 5}, 2), gc::leaf(ctx, {3}, 3)});
  }
  gc::run(ctx,
          [&](Context& c, const gc::Leaves& in) {
            return gc::probe(c, selective_deltas(c, in[0], in[1], in[2], labels, {.filter_of = tail}));
          },
          {gc::leaf(ctx, {rois, 6}, 1), gc::leaf(ctx, {12, 6}, 2), gc::leaf(ctx, {12}, 3)});
}

TEST_CASE("a pixel of zeros under a normalised predictor: logit the bias, gradient temperature / eps") {
  Context ctx;
  const Variable x(Tensor::zeros(ctx, {1, 1, 1, 2}, DType::float64), true);
  const Variable w(Tensor::from(ctx, {1, 1, 1, 2}, std::vector<double>{3, 4}), true),
      b(Tensor::from(ctx, {1}, std::vector<double>{0.5}), true);
  const NormalizedOptions norm{.temperature = 20, .power = 1, .eps = 0.25};
  const Variable y = selective_mask(ctx, x, w, b, Tensor::zeros(ctx, {1}, DType::int32), {{}, &norm});
  REQUIRE(y.value().to_vector<double>(ctx) == std::vector<double>{0.5});
  backward(ctx, y, Tensor::full(ctx, {1, 1, 1}, 1, DType::float64));
  REQUIRE(x.grad().to_vector<double>(ctx)[0] == Approx(80 * 3 / 5.25));
  REQUIRE(x.grad().to_vector<double>(ctx)[1] == Approx(80 * 4 / 5.25));
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
  const NormalizedOptions norm;
  REQUIRE_THROWS_WITH(selective_deltas(ctx, flat, gc::leaf(ctx, {8, 4}, 2), gc::leaf(ctx, {8}, 3), labels, {{}, &norm}),
                      Catch::Contains("plain"));
}

TEST_CASE("selective predictors' bodies agree on one lane and on a crew") {
  // Plain with two outputs a position; normalised, with shared filters, with one.
  for (const bool normalized : {false, true}) {
    const int64_t rois = 10, positions = 6, outputs = normalized ? 1 : 2, features = 132, sets = normalized ? 3 : 5,
                  tile = 4, tiles = 2;
    const std::vector<int32_t> tail{0, 2, 1, 2, 2};
    const SelectiveShape shape{
        rois, positions, outputs, features, sets, tile, tiles, normalized ? tail.data() : nullptr, normalized ? 5 : 0};
    auto floats = [](int64_t n, uint64_t seed) {
      const std::vector<double> v = gc::values(n, seed);
      return std::vector<float>(v.begin(), v.end());
    };
    const std::vector<float> x = floats(rois * positions * features, 1), w = floats(sets * outputs * features, 2),
                             b = floats(sets * outputs, 3), dy = floats(rois * positions * outputs, 4);
    struct Result {
      std::vector<float> y, dx, dw, db, dw_tiles, db_tiles, factor, bend;
    };
    auto with = [&]<int64_t kPack>(std::integral_constant<int64_t, kPack>, auto run) {
      auto fresh = [](int64_t n) { return std::vector<float>(size_t(n), NAN); };
      Result r{fresh(rois * positions * outputs),
               fresh(rois * positions * features),
               fresh(sets * outputs * features),
               fresh(sets * outputs),
               fresh(rois * tiles * outputs * features),
               fresh(rois * tiles * outputs),
               fresh(rois * positions),
               fresh(rois * positions)};
      float *factor = normalized ? r.factor.data() : nullptr, *bend = normalized ? r.bend.data() : nullptr;
      run(rois * tiles,
          SelectiveForward<float>{
              shape, x.data(), w.data(), b.data(), kLabels.data(), r.y.data(), factor, bend, {20, 1, 1e-6f}});
      run(rois * tiles,
          SelectiveBackward<float, kPack>{shape, x.data(), w.data(), dy.data(), kLabels.data(), r.dx.data(),
                                          r.dw_tiles.data(), r.db_tiles.data(), factor, bend});
      SelectiveFilterGradient<float, kPack> filters{shape,       kLabels.data(), r.dw_tiles.data(), r.db_tiles.data(),
                                                    r.dw.data(), r.db.data()};
      if (kPack > 1) filters.parts = filters.most_parts();
      run(sets * filters.parts, filters);
      return r;
    };
    constexpr std::integral_constant<int64_t, 1> by_element;
    constexpr std::integral_constant<int64_t, 4> by_pack;
    const Result solo = with(by_element, [](int64_t items, const auto& body) {
      for (int64_t item = 0; item < items; ++item) body(Solo{}, item);
    });
    const auto on_crew = [](int64_t items, const auto& body) { crew::run(4, items, body); };
    const Result crews = with(by_element, on_crew), packed = with(by_pack, on_crew);
    auto close = [](const std::vector<float>& a, const std::vector<float>& c) {
      for (size_t i = 0; i < a.size(); ++i) REQUIRE(a[i] == Approx(c[i]).epsilon(1e-5).margin(1e-5));
    };
    if (!normalized) {
      REQUIRE(solo.dx == crews.dx);  // no sum goes over lanes in these
      REQUIRE(solo.dw == crews.dw);
      REQUIRE(solo.dx == packed.dx);
      REQUIRE(solo.dw == packed.dw);
    }
    close(solo.dx, packed.dx);
    close(solo.dw, packed.dw);
    close(solo.dx, crews.dx);
    close(solo.dw, crews.dw);
    close(solo.y, crews.y);
    close(solo.db, crews.db);
  }
}
