// The table of RoIAlign's weights, one axis at a time: against every sample of METHODS 2.7 taken by itself in float64,
// within its memory for any box, and the same on a crew.
#include "detection/roi_taps_body.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <random>

#include "tests/crew.h"
#include "tests/run_both.h"

using namespace tailseg;

namespace {

// One RoI's table for a feature of height x width cells, one level of scale 1/4.
template <class Real>
struct Table {
  int64_t size[2], pooled, longest, capacity;
  std::vector<float> box;
  int32_t image = 0, level = 0, slot = 77;
  std::vector<TapRange> ranges;
  std::vector<int32_t> extents = std::vector<int32_t>(4, 77);
  std::vector<BinRange> bins;  // guarded by one more at the end
  std::vector<Real> weights;

  Table(int64_t height, int64_t width, int64_t bin_count, std::vector<float> corners)
      : size{height, width},
        pooled(bin_count),
        longest(std::max(height, width)),
        capacity(roi_tap_capacity(longest, bin_count)),
        box(std::move(corners)),
        ranges(size_t(2 * bin_count), TapRange{77, 77, 77}),
        bins(size_t(2 * longest + 1), BinRange{77, 77}),
        weights(size_t(2 * capacity + 8), Real(-77)) {}

  RoiTaps<Real> body(int64_t sampling, bool aligned) {
    RoiTaps<Real> taps{};
    taps.rois = box.data();
    taps.image = &image;
    taps.level = &level;
    taps.slot = &slot;
    taps.ranges = ranges.data();
    taps.weights = weights.data();
    taps.levels = taps.images = 1;
    taps.pooled = pooled;
    taps.capacity = capacity;
    taps.sampling = sampling;
    taps.aligned = aligned;
    taps.sizes[0][0] = size[0];
    taps.sizes[0][1] = size[1];
    taps.scales[0] = Real(0.25);
    return taps;
  }
  RoiBins bins_body() { return {ranges.data(), extents.data(), bins.data(), pooled, longest}; }

  // Every row (column) of the extent knows the bins that touch it: from the first to the last, no others between.
  void require_bins() const {
    for (int axis : {0, 1}) {
      for (int64_t cell = extents[size_t(axis * 2)]; cell < extents[size_t(axis * 2 + 1)]; ++cell) {
        const BinRange& of = bins[size_t(axis * longest + cell - extents[size_t(axis * 2)])];
        for (int64_t p = 0; p < pooled; ++p) {
          const TapRange& range = ranges[size_t(axis * pooled + p)];
          const bool touches = range.first <= cell && cell < range.first + range.count;
          if (touches != (of.first <= p && p < of.end)) {
            FAIL("axis " << axis << ", cell " << cell << ", bin " << p << ": " << of.first << " to " << of.end);
          }
        }
      }
    }
    REQUIRE((bins.back().first == 77 && bins.back().end == 77));
  }
  // The weight of each cell in each bin of one axis.
  std::vector<double> dense(int axis) const {
    std::vector<double> out(size_t(pooled * size[axis]), 0.0);
    for (int64_t p = 0; p < pooled; ++p) {
      const TapRange& range = ranges[size_t(axis * pooled + p)];
      for (int32_t k = 0; k < range.count; ++k) {
        out[size_t(p * size[axis] + range.first + k)] = double(weights[size_t(axis * capacity + range.at + k)]);
      }
    }
    return out;
  }
};

// METHODS 2.7, sample by sample.
std::vector<double> samples_one_by_one(double low, double high, int64_t size, int64_t pooled, int64_t sampling,
                                       bool aligned) {
  std::vector<double> out(size_t(pooled * size), 0.0);
  const double offset = aligned ? 0.5 : 0, start = low * 0.25 - offset;
  double length = high * 0.25 - offset - start;
  if (!aligned) length = std::max(length, 1.0);
  const double bin = length / double(pooled);
  const auto grid = sampling > 0 ? sampling : int64_t(std::ceil(bin));
  for (int64_t p = 0; p < pooled; ++p) {
    for (int64_t i = 0; i < grid; ++i) {
      double y = start + double(p) * bin + (double(i) + 0.5) * bin / double(grid);
      if (y < -1 || y > double(size)) continue;
      y = std::max(y, 0.0);
      const auto y0 = int64_t(std::floor(y));
      if (y0 >= size - 1) {
        out[size_t(p * size + size - 1)] += 1 / double(grid);
      } else {
        out[size_t(p * size + y0)] += (double(y0 + 1) - y) / double(grid);
        out[size_t(p * size + y0 + 1)] += (y - double(y0)) / double(grid);
      }
    }
  }
  return out;
}

}  // namespace

TEST_CASE("a bin's weights are those of its samples, fixed or adaptive, inside and across the border") {
  const std::vector<std::vector<float>> boxes = {{10, 12, 90, 70},     {0, 0, 160, 120},          {-30, -20, 40, 30},
                                                 {130, 90, 220, 260},  {50.3f, 20.1f, 51, 20.2f}, {40, 40, 40, 40},
                                                 {60, 60, 30, 20},     {-400, -300, 900, 700},    {159, 119, 161, 121},
                                                 {500, 500, 600, 600}, {-3.9f, 0, -2, 10},        {3.2f, 7.7f, 5, 33}};
  for (const auto& box : boxes) {
    for (int64_t sampling : {0, 1, 2, 5}) {
      for (bool aligned : {false, true}) {
        Table<double> table(30, 40, 7, box);
        const RoiTaps<double> body = table.body(sampling, aligned);
        crew::run(2, 2 * 7, body);
        crew::run(2, 2, table.bins_body());
        INFO(box[0] << " " << box[1] << " " << box[2] << " " << box[3] << ", sampling " << sampling << aligned);
        REQUIRE(table.slot == 0);
        table.require_bins();
        for (int axis : {0, 1}) {
          const auto expected = samples_one_by_one(double(box[size_t(1 - axis)]), double(box[size_t(3 - axis)]),
                                                   table.size[axis], 7, sampling, aligned);
          const auto got = table.dense(axis);
          for (size_t i = 0; i < got.size(); ++i) REQUIRE(got[i] == Approx(expected[i]).margin(1e-12));
          const int32_t first = table.extents[size_t(axis * 2)], end = table.extents[size_t(axis * 2 + 1)];
          for (size_t i = 0; i < got.size(); ++i) {  // the extent holds every weight
            const auto cell = int32_t(int64_t(i) % table.size[axis]);
            if (expected[i] != 0) REQUIRE((first <= cell && cell < end));
          }
        }
      }
    }
  }
}

TEST_CASE("no box needs more weights than the table has room for") {
  std::mt19937 draw(5);
  std::uniform_real_distribution<float> place(-300, 700), fraction(0, 1);
  for (int round = 0; round < 20'000; ++round) {
    const int64_t height = 1 + int64_t(draw() % 40), width = 1 + int64_t(draw() % 40),
                  pooled = 1 + int64_t(draw() % 14);
    const float x = place(draw), y = place(draw), reach = std::pow(10.f, fraction(draw) * 8 - 4);
    const float sign = draw() % 4 == 0 ? -1.f : 1.f;  // some are inside out
    Table<float> table(height, width, pooled, {x, y, x + sign * reach * fraction(draw), y + sign * reach});
    const RoiTaps<float> body = table.body(int64_t(draw() % 4), draw() % 2 == 0);
    run_solo(2 * pooled, body);
    run_solo(2, table.bins_body());
    table.require_bins();
    for (int axis : {0, 1}) {
      std::vector<int> owners(size_t(table.capacity), 0);
      for (int64_t p = 0; p < pooled; ++p) {
        const TapRange& range = table.ranges[size_t(axis * pooled + p)];
        if (range.count == 0) continue;
        REQUIRE((range.first >= 0 && range.first + range.count <= table.size[axis]));
        REQUIRE((range.at >= 0 && range.at + range.count <= table.capacity));
        for (int64_t k = range.at; k < range.at + range.count; ++k) REQUIRE(++owners[size_t(k)] == 1);
      }
    }
    for (size_t i = table.weights.size() - 8; i < table.weights.size(); ++i) REQUIRE(table.weights[i] == -77.f);
  }
}

TEST_CASE("boxes that are not numbers, and rows of no image or level, have no weights") {
  const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  for (const float bad : {nan, infinity, -infinity}) {
    for (size_t corner = 0; corner < 4; ++corner) {
      std::vector<float> box{10, 20, 30, 40};
      box[corner] = bad;
      Table<float> table(9, 9, 3, box);
      const RoiTaps<float> body = table.body(2, true);
      crew::run(2, 2 * 3, body);
      crew::run(2, 2, table.bins_body());
      const size_t axis = corner % 2 == 0 ? 1 : 0;  // x1, x2 are axis 1
      for (size_t p = 0; p < 3; ++p) REQUIRE(table.ranges[axis * 3 + p].count == 0);
      REQUIRE(table.extents[axis * 2] == 0);
      REQUIRE(table.extents[axis * 2 + 1] == 0);
    }
  }
  for (const auto& [image, level] : std::vector<std::pair<int32_t, int32_t>>{{-1, 0}, {1, 0}, {0, -1}, {0, 1}}) {
    Table<float> table(9, 9, 3, {10, 20, 30, 40});
    table.image = image;
    table.level = level;
    const RoiTaps<float> body = table.body(0, false);
    crew::run(2, 2 * 3, body);
    REQUIRE(table.slot == -1);
    for (const TapRange& range : table.ranges) REQUIRE(range.count == 0);
  }
}

TEST_CASE("a box that begins too far away for float32 to tell its rows apart has no weights") {
  for (const float far : {5e7f, -5e7f}) {
    Table<float> table(21, 21, 14, {0, far, 80, -far});
    run_solo(2 * 14, table.body(0, true));
    run_solo(2, table.bins_body());
    for (size_t p = 0; p < 14; ++p) {
      REQUIRE(table.ranges[p].count == 0);
      REQUIRE(table.ranges[14 + p].count > 0);
    }
    REQUIRE(table.extents[0] == table.extents[1]);
  }
}
