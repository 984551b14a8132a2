// RoIAlign against its definition sample by sample, against torchvision's numbers, and as the adjoint of itself.
#include "detection/roi_align.h"

#include <fstream>
#include <limits>

#include "detection/roi_align_body.h"
#include "tests/crew.h"
#include "tests/gradient_check.h"
#include "tests/typed_tensor.h"

using namespace tailseg;
namespace gc = gradient_check;

namespace {

// One bilinear sample, by the rule of METHODS 2.7. feature [H, W, C].
double sample(const double* feature, int64_t height, int64_t width, int64_t channels, int64_t c, double y, double x) {
  if (y < -1 || y > double(height) || x < -1 || x > double(width)) return 0;
  y = std::max(y, 0.0);
  x = std::max(x, 0.0);
  int64_t y0 = int64_t(std::floor(y)), x0 = int64_t(std::floor(x)), y1 = y0 + 1, x1 = x0 + 1;
  if (y0 >= height - 1) {
    y0 = y1 = height - 1;
    y = double(y0);
  }
  if (x0 >= width - 1) {
    x0 = x1 = width - 1;
    x = double(x0);
  }
  auto at = [&](int64_t i, int64_t j) { return feature[(i * width + j) * channels + c]; };
  const double ly = y - double(y0), lx = x - double(x0);
  return (1 - ly) * ((1 - lx) * at(y0, x0) + lx * at(y0, x1)) + ly * ((1 - lx) * at(y1, x0) + lx * at(y1, x1));
}

struct Level {
  std::vector<double> values;
  int64_t height, width;
  double scale;
};

struct Rois {
  std::vector<float> boxes;
  std::vector<int32_t> image, level;
  int64_t count() const { return int64_t(image.size()); }
  RoiSet on(Context& ctx) const {
    return {Tensor::from(ctx, {count(), 4}, boxes), Tensor::from(ctx, {count()}, image),
            Tensor::from(ctx, {count()}, level)};
  }
};

std::vector<double> roi_align_slow(const std::vector<Level>& levels, int64_t images, int64_t channels, const Rois& rois,
                                   const RoiAlignOptions& o) {
  const int64_t pooled = o.output_size;
  std::vector<double> out(size_t(rois.count() * pooled * pooled * channels), 0.0);
  for (int64_t r = 0; r < rois.count(); ++r) {
    const int32_t l = rois.level[size_t(r)], n = rois.image[size_t(r)];
    const float* box = &rois.boxes[size_t(r * 4)];
    bool sound = l >= 0 && l < int32_t(levels.size()) && n >= 0 && n < images;
    for (int i = 0; i < 4; ++i) sound = sound && std::isfinite(box[i]);
    if (!sound) continue;
    const Level& f = levels[size_t(l)];
    const double* feature = f.values.data() + n * f.height * f.width * channels;
    const double off = o.aligned ? 0.5 : 0;
    const double xs = box[0] * f.scale - off, ys = box[1] * f.scale - off;
    double w = (double(box[2]) - box[0]) * f.scale, h = (double(box[3]) - box[1]) * f.scale;
    if (!o.aligned) w = std::max(w, 1.0), h = std::max(h, 1.0);
    const double bin_w = w / double(pooled), bin_h = h / double(pooled);
    const double gx = o.sampling_ratio > 0 ? double(o.sampling_ratio) : std::ceil(bin_w);
    const double gy = o.sampling_ratio > 0 ? double(o.sampling_ratio) : std::ceil(bin_h);
    for (int64_t p = 0; p < pooled; ++p)
      for (int64_t q = 0; q < pooled; ++q)
        for (int64_t c = 0; c < channels; ++c) {
          double total = 0;
          for (int64_t i = 0; i < int64_t(gy); ++i)
            for (int64_t j = 0; j < int64_t(gx); ++j) {
              total += sample(feature, f.height, f.width, channels, c, ys + double(p) * bin_h + (i + 0.5) * bin_h / gy,
                              xs + double(q) * bin_w + (j + 0.5) * bin_w / gx);
            }
          out[size_t(((r * pooled + p) * pooled + q) * channels + c)] = total / std::max(gy * gx, 1.0);
        }
  }
  return out;
}

std::vector<Level> pyramid(int64_t images, int64_t channels, int64_t height, int64_t width) {
  std::vector<Level> levels;
  double scale = 0.25;
  for (uint64_t l = 0; l < 3; ++l, height = (height + 1) / 2, width = (width + 1) / 2, scale /= 2) {
    levels.push_back({gc::values(images * height * width * channels, 10 + l), height, width, scale});
  }
  return levels;
}

std::vector<Variable> on_tape(Context& ctx, DType dtype, const std::vector<Level>& levels, int64_t images,
                              int64_t channels) {
  std::vector<Variable> out;
  for (const Level& l : levels) {
    out.emplace_back(typed_tensor(ctx, dtype, {images, l.height, l.width, channels}, l.values), true);
  }
  return out;
}

const std::vector<double> kScales{0.25, 0.125, 0.0625};

// Random boxes in and around an image of this size, after the awkward ones.
Rois some_rois(int64_t count, int64_t images, double height, double width) {
  const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  Rois rois;
  auto push = [&](std::vector<double> box, int32_t image, int32_t level) {
    for (double v : box) rois.boxes.push_back(float(v));
    rois.image.push_back(image);
    rois.level.push_back(level);
  };
  const double w = width, h = height;
  push({3, 5, 30, 40}, -1, 0);   // unused
  push({nan, 5, 30, 40}, 0, 0);  // not numbers
  push({3, 5, inf, 40}, 0, 1);
  push({-inf, -inf, inf, inf}, 0, 1);
  push({3, 5, 30, 40}, int32_t(images), 0);  // no such image
  push({3, 5, 30, 40}, 0, 3);                // no such level
  push({3, 5, 30, 40}, 0, -1);
  push({10, 10, 10, 10}, 0, 0);                    // empty
  push({30, 20, 12, 9}, 0, 0);                     // inside out
  push({w - 1, 2, 0, h}, 0, 0);                    // the same, with columns between its bins that no sample touches
  push({w + 90, h + 90, w + 120, h + 130}, 0, 0);  // outside
  push({-400, -300, -100, -80}, 0, 1);
  push({-1e4, -1e4, 1e4, 1e4}, 0, 2);  // far larger than the image
  push({-1e30, 3, 1e30, 40}, 0, 2);
  push({0, 0, w, h}, 0, 2);
  push({w - 3, h - 3, w + 40, h + 60}, 0, 0);  // over the edge
  push({7.3, 8.1, 7.4, 8.15}, 0, 0);           // smaller than a pixel
  const std::vector<double> u = gc::values(count * 6, 77, 0, 1);
  for (int64_t i = 0; i < count; ++i) {
    const double* v = &u[size_t(i * 6)];
    const double x = -0.2 * w + 1.2 * w * v[0], y = -0.2 * h + 1.2 * h * v[1];
    push({x, y, x + w * v[2] * v[2], y + h * v[3] * v[3]}, int32_t(v[4] * double(images)), int32_t(v[5] * 3));
  }
  return rois;
}

std::vector<RoiAlignOptions> every_option() {
  std::vector<RoiAlignOptions> out;
  for (bool aligned : {true, false}) {
    for (int64_t sampling : {0, 1, 2, 3})
      out.push_back({.output_size = 3 + sampling, .sampling_ratio = sampling, .aligned = aligned});
  }
  return out;
}

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double total = 0;
  for (size_t i = 0; i < a.size(); ++i) total += a[i] * b[i];
  return total;
}

}  // namespace

TEST_CASE("roi_align equals its definition, sample by sample") {
  const int64_t images = 2, channels = 5;
  const std::vector<Level> levels = pyramid(images, channels, 23, 31);
  const Rois rois = some_rois(40, images, 92, 124);
  for (const RoiAlignOptions& o : every_option()) {
    const std::vector<double> expected = roi_align_slow(levels, images, channels, rois, o);
    for_each_device_and_type([&](Context& ctx, DType dtype) {
      INFO(ctx.device().name() << " " << name_of(dtype) << ", aligned " << o.aligned << " sampling_ratio "
                               << o.sampling_ratio << " P " << o.output_size);
      // float32: the coordinates of boxes near 1e4 have 10 bits of fraction.
      const double tolerance = dtype == DType::float64 ? 1e-12 : dtype == DType::float32 ? 1e-4 : 1e-2;
      const Variable y = roi_align(ctx, on_tape(ctx, dtype, levels, images, channels), kScales, rois.on(ctx), o);
      REQUIRE(y.shape() == Shape{rois.count(), o.output_size, o.output_size, channels});
      const std::vector<double> got = to_doubles(ctx, y.value());
      for (size_t i = 0; i < got.size(); ++i) {
        INFO("roi " << i / (got.size() / size_t(rois.count())) << " element " << i);
        REQUIRE(got[i] == Approx(expected[i]).margin(tolerance));
      }
    });
  }
}

TEST_CASE("roi_align gives torchvision's numbers and gradients") {
  Context ctx;
  std::ifstream file(std::string(TAILSEG_GOLDEN_DIR) + "/roi_align_torchvision.txt");
  while (file.peek() == '#') file.ignore(4096, '\n');
  int64_t count = 0, cases = 0;
  file >> count;
  Rois rois;
  for (int64_t i = 0; i < count; ++i) {
    float v[5];
    for (float& x : v) file >> x;
    rois.image.push_back(int32_t(v[0]));
    rois.level.push_back(0);
    rois.boxes.insert(rois.boxes.end(), v + 1, v + 5);
  }
  std::vector<double> feature, dy;
  for (int i = 0; i < 2 * 7 * 9 * 2; ++i) feature.push_back(std::sin(0.7 * i + 0.3 * std::sin(1.9 * i)));
  for (int64_t k = 0; k < count * 3 * 3 * 2; ++k) dy.push_back(std::cos(0.37 * double(k)));
  file >> cases;
  REQUIRE(cases == 6);
  for (int64_t one = 0; one < cases; ++one) {
    int aligned = 0, sampling = 0;
    file >> aligned >> sampling;
    INFO("aligned " << aligned << " sampling_ratio " << sampling);
    const Variable x(Tensor::from(ctx, {2, 7, 9, 2}, feature), true);
    const Variable y = roi_align(ctx, {x}, {0.25}, rois.on(ctx),
                                 {.output_size = 3, .sampling_ratio = sampling, .aligned = aligned == 1});
    backward(ctx, y, Tensor::from(ctx, {count, 3, 3, 2}, dy));
    auto compare = [&](const Tensor& got) {
      for (int64_t i = 0; i < got.elements(); ++i) {
        double expected = 0;
        REQUIRE(file >> expected);
        REQUIRE(got.data<double>()[i] == Approx(expected).margin(1e-13));
      }
    };
    compare(y.value());
    compare(x.grad());
  }
}

TEST_CASE("roi_align of a ramp is the ramp at each bin's centre") {
  Context ctx;
  std::vector<double> ramp;  // value of pixel (i, j), whose centre lies at (j + 0.5, i + 0.5)
  for (int i = 0; i < 20; ++i) {
    for (int j = 0; j < 30; ++j) ramp.push_back(2.0 * (j + 0.5) - 3.0 * (i + 0.5) + 1);
  }
  const Variable x(Tensor::from(ctx, {1, 20, 30, 1}, ramp));
  const Rois rois{{16, 12, 96, 60}, {0}, {0}};  // (4, 3) to (24, 15) in feature pixels
  for (bool aligned : {true, false}) {
    const Variable y =
        roi_align(ctx, {x}, {0.25}, rois.on(ctx), {.output_size = 4, .sampling_ratio = 0, .aligned = aligned});
    const double shift = aligned ? 0 : 0.5;  // without the half-pixel shift both centres lie half a pixel further
    for (int p = 0; p < 4; ++p) {
      for (int q = 0; q < 4; ++q) {
        const double cx = 4 + (q + 0.5) * 5 + shift, cy = 3 + (p + 0.5) * 3 + shift;
        REQUIRE(y.value().data<double>()[p * 4 + q] == Approx(2 * cx - 3 * cy + 1).margin(1e-11));
      }
    }
  }
}

TEST_CASE("roi_align's gradients, over all levels") {
  Context ctx;
  const int64_t images = 2, channels = 2;
  const std::vector<Level> levels = pyramid(images, channels, 6, 7);
  const Rois rois = some_rois(8, images, 24, 28);
  for (const RoiAlignOptions& o : every_option()) {
    gc::run(ctx,
            [&](Context& c, const gc::Leaves& in) { return gc::probe(c, roi_align(c, in, kScales, rois.on(c), o)); },
            on_tape(ctx, DType::float64, levels, images, channels), {.step = 1.0});  // linear: any step is exact
  }
}

TEST_CASE("roi_align's gradient is the adjoint of its value, with many channels and ragged tiles") {
  Context cpu;
  const int64_t images = 2, channels = GENERATE(203, 24);  // on a GPU one by one, and in packs
  const std::vector<Level> levels = pyramid(images, channels, 33, 37);
  const Rois rois = some_rois(100, images, 132, 148);
  for (const RoiAlignOptions& o : every_option()) {
    const std::vector<Variable> f = on_tape(cpu, DType::float64, levels, images, channels);
    const Variable y = roi_align(cpu, f, kScales, rois.on(cpu), o);
    const std::vector<double> dy = gc::values(y.shape().elements(), 5);
    const double left = dot(dy, to_doubles(cpu, y.value()));
    backward(cpu, y, typed_tensor(cpu, DType::float64, y.shape(), dy));
    double right = 0;
    for (size_t l = 0; l < 3; ++l) right += dot(to_doubles(cpu, f[l].grad()), levels[l].values);
    REQUIRE(left == Approx(right).epsilon(1e-11));
    // The other types gather the same gradient to their precision.
    for_each_device_and_type([&](Context& ctx, DType dtype) {
      if (dtype == DType::float64) return;
      const std::vector<Variable> g = on_tape(ctx, dtype, levels, images, channels);
      backward(ctx, roi_align(ctx, g, kScales, rois.on(ctx), o), typed_tensor(ctx, dtype, y.shape(), dy));
      for (size_t l = 0; l < 3; ++l) {
        const std::vector<double> expected = to_doubles(cpu, f[l].grad()), got = to_doubles(ctx, g[l].grad());
        for (size_t i = 0; i < got.size(); ++i) {
          const double error = std::abs(got[i] - expected[i]) / (1 + std::abs(expected[i]));
          if (!(error <= (dtype == DType::float32 ? 2e-4 : 2e-2))) {
            FAIL(ctx.device().name() << " " << name_of(dtype) << ", level " << l << " element " << i << " off by "
                                     << error);
          }
        }
      }
    });
  }
}

TEST_CASE("roi_align gives the same bits at any number of threads and twice in a row") {
  const int64_t images = 2, channels = 64;
  const std::vector<Level> levels = pyramid(images, channels, 60, 71);
  const Rois rois = some_rois(200, images, 240, 284);
  std::vector<std::vector<float>> first;
  for (int threads : {1, 2, 3, 7, 7}) {
    Context ctx({}, {.threads = threads});
    const std::vector<Variable> f = on_tape(ctx, DType::float32, levels, images, channels);
    const Variable y = roi_align(ctx, f, kScales, rois.on(ctx), {});
    std::vector<std::vector<float>> all{y.value().to_vector<float>(ctx)};
    std::vector<float> dy;
    for (double v : gc::values(y.shape().elements(), 6)) dy.push_back(float(v));
    backward(ctx, y, Tensor::from(ctx, y.shape(), dy));
    for (const Variable& l : f) all.push_back(l.grad().to_vector<float>(ctx));
    if (first.empty()) first = all;
    REQUIRE(first == all);
  }
}

TEST_CASE("roi_align of no RoIs, or of unused rows only, is empty or zero and so are the gradients") {
  const std::vector<Level> levels = pyramid(1, 8, 9, 8);
  for_each_device_and_type([&](Context& ctx, DType dtype) {
    for (int64_t count : {0, 5}) {
      const Rois rois{std::vector<float>(size_t(count * 4), 1e9f), std::vector<int32_t>(size_t(count), -1),
                      std::vector<int32_t>(size_t(count), 0)};
      const std::vector<Variable> f = on_tape(ctx, dtype, levels, 1, 8);
      const Variable y = roi_align(ctx, f, kScales, rois.on(ctx), {});
      REQUIRE(y.shape() == Shape{count, 7, 7, 8});
      REQUIRE(to_doubles(ctx, y.value()) == std::vector<double>(size_t(count * 49 * 8), 0.0));
      backward(ctx, y, Tensor::full(ctx, y.shape(), 1.0, dtype));
      for (const Variable& l : f) {
        REQUIRE(to_doubles(ctx, l.grad()) == std::vector<double>(size_t(l.shape().elements()), 0.0));
      }
    }
  });
  REQUIRE(live_nodes() == 0);
}

TEST_CASE("roi_align refuses what does not fit") {
  Context ctx;
  const std::vector<Variable> f = on_tape(ctx, DType::float32, pyramid(1, 3, 9, 8), 1, 3);
  const RoiSet rois = Rois{{1, 2, 3, 4}, {0}, {0}}.on(ctx);
  REQUIRE_THROWS_AS(roi_align(ctx, {}, {}, rois, {}), Error);
  REQUIRE_THROWS_AS(roi_align(ctx, f, {0.25}, rois, {}), Error);
  REQUIRE_THROWS_AS(roi_align(ctx, f, kScales, rois, {.output_size = 0}), Error);
  REQUIRE_THROWS_AS(roi_align(ctx, f, kScales, rois, {.sampling_ratio = -1}), Error);
  REQUIRE_THROWS_AS(
      roi_align(ctx, f, kScales, {rois.boxes, rois.image_index, Tensor::zeros(ctx, {2}, DType::int32)}, {}), Error);
  REQUIRE_THROWS_AS(roi_align(ctx, {f[0], Variable(Tensor::zeros(ctx, {1, 4, 4, 2}))}, {0.25, 0.125}, rois, {}), Error);
}

namespace {

// The op's kernels, put together by hand so that any executor can run them.
struct Kernels {
  static constexpr int64_t images = 2, channels = 8, pooled = 4, rows[2] = {7, 4}, columns[2] = {19, 10};
  Rois rois = some_rois(20, images, 28, 76);
  int64_t count = rois.count(), longest = 19, capacity = roi_tap_capacity(longest, pooled), words = (count + 31) / 32;
  std::vector<int32_t> slot = std::vector<int32_t>(size_t(count), 77),
                       extents = std::vector<int32_t>(size_t(count * 4), 77);
  std::vector<TapRange> ranges = std::vector<TapRange>(size_t(count * 2 * pooled));
  std::vector<BinRange> bins = std::vector<BinRange>(size_t(count * 2 * longest), BinRange{77, 77});
  std::vector<float> weights = std::vector<float>(size_t(count * 2 * capacity), NAN);
  std::vector<float> features[2] = {floats(images * 7 * 19 * channels, 1), floats(images * 4 * 10 * channels, 2)};
  std::vector<float> out = std::vector<float>(size_t(count * pooled * pooled * channels), NAN);
  std::vector<float> dy = floats(count * pooled * pooled * channels, 3);
  std::vector<int32_t> span = std::vector<int32_t>(size_t(images * 2), 77);
  std::vector<uint32_t> mask = std::vector<uint32_t>(size_t(images * (rows[0] + rows[1]) * words), 0xffffffffu);
  std::vector<float> gradients[2] = {std::vector<float>(features[0].size(), NAN),
                                     std::vector<float>(features[1].size(), NAN)};

  static std::vector<float> floats(int64_t n, uint64_t seed) {
    const std::vector<double> v = gc::values(n, seed);
    return {v.begin(), v.end()};
  }

  template <int64_t kPack = 1, class Run>  // run(items, body)
  void all(Run run) {
    RoiTaps<float> taps{};
    taps.rois = rois.boxes.data();
    taps.image = rois.image.data();
    taps.level = rois.level.data();
    taps.slot = slot.data();
    taps.ranges = ranges.data();
    taps.weights = weights.data();
    taps.levels = 2;
    taps.images = images;
    taps.pooled = pooled;
    taps.capacity = capacity;
    taps.aligned = true;
    const RoiTapTable<float> table{slot.data(), ranges.data(), weights.data(), pooled, capacity};
    const RoiBinTable side{extents.data(), bins.data(), longest};
    RoiAlignForward<float, kPack> forward{table, {}, out.data(), images, channels};
    RoiRowMask<float> row_mask{slot.data(), extents.data(), span.data(), mask.data(), {}, 2, images, count, words};
    RoiAlignBackward<float, kPack> backward_{table, side, mask.data(), span.data(), dy.data(), {}, 2, channels, words};
    constexpr int64_t kTile = RoiAlignBackward<float, kPack>::kTile;
    int64_t first_row = 0, first_item = 0;
    for (int l = 0; l < 2; ++l) {
      taps.sizes[l][0] = rows[l];
      taps.sizes[l][1] = columns[l];
      taps.scales[l] = l == 0 ? 0.25f : 0.125f;
      forward.features[l] = {features[l].data(), rows[l], columns[l], 0, 0};
      backward_.gradients[l] = {gradients[l].data(), rows[l], columns[l], first_row, first_item};
      row_mask.features[l] = backward_.gradients[l];
      first_row += images * rows[l];
      first_item += images * rows[l] * ((columns[l] + kTile - 1) / kTile);
    }
    run(count * 2 * pooled, taps);
    run(count * pooled * pooled / forward.bins_of_item(), forward);
    run(count * 2, RoiBins{ranges.data(), extents.data(), bins.data(), pooled, longest});
    run(images, RoiImageWords{slot.data(), span.data(), count, images});
    run(first_row, row_mask);
    run(first_item, backward_);
  }
};

}  // namespace

TEST_CASE("roi_align's bodies give the same bits on one lane and on a crew") {
  Kernels solo, crew_kernels;
  solo.all([](int64_t items, const auto& body) {
    for (int64_t item = 0; item < items; ++item) body(Solo{}, item);
  });
  crew_kernels.all([](int64_t items, const auto& body) { crew::run(3, items, body); });
  REQUIRE(solo.slot == crew_kernels.slot);
  REQUIRE(solo.extents == crew_kernels.extents);
  REQUIRE(solo.out == crew_kernels.out);  // false where a NaN was left over
  REQUIRE(solo.span == crew_kernels.span);
  REQUIRE(solo.mask == crew_kernels.mask);
  REQUIRE(solo.gradients[0] == crew_kernels.gradients[0]);
  REQUIRE(solo.gradients[1] == crew_kernels.gradients[1]);
  Kernels packed;
  packed.all<4>([](int64_t items, const auto& body) { crew::run(2, items, body); });
  REQUIRE(packed.out == solo.out);
  REQUIRE(packed.gradients[0] == solo.gradients[0]);
  REQUIRE(packed.gradients[1] == solo.gradients[1]);
}
