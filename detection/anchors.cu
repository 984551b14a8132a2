#include "detection/anchors.h"

#include <algorithm>
#include <cmath>

#include "detection/anchors_body.h"
#include "tensor/launch.h"

namespace tailseg {
namespace {

LevelTable table_of(const std::vector<AnchorLevel>& levels) {
  LevelTable table{};
  table.levels = static_cast<int32_t>(levels.size());
  std::copy(levels.begin(), levels.end(), table.level);
  return table;
}

int64_t rows_of(const std::vector<AnchorLevel>& levels) { return levels.back().first_row + levels.back().height; }

std::vector<AnchorLevel> lay_out_levels(const AnchorOptions& options, int64_t padded_height, int64_t padded_width,
                                        const std::vector<LevelSize>& feature_sizes) {
  std::vector<AnchorLevel> levels;
  int64_t anchors = 0, rows = 0;
  for (size_t i = 0; i < feature_sizes.size(); ++i) {
    const LevelSize size = feature_sizes[i];
    TS_CHECK(size.height > 0 && size.width > 0, "make_anchors: level ", i, " has ", size.height, " x ", size.width,
             " cells");
    AnchorLevel level{size.height, size.width, options.strides[i], options.strides[i], 0, anchors, rows};
    if (options.measured_strides) {
      level.stride_y = padded_height / size.height;
      level.stride_x = padded_width / size.width;
    }
    level.per_cell = static_cast<int64_t>(options.sizes[i].size() * options.ratios.size());
    anchors += level.count();
    rows += level.height;
    levels.push_back(level);
  }
  return levels;
}

}  // namespace

std::vector<float> base_anchors(const AnchorOptions& options, size_t level) {
  TS_CHECK(level < options.sizes.size(), "base_anchors: level ", level, " of ", options.sizes.size());
  std::vector<float> corners;
  for (double ratio : options.ratios) {
    TS_CHECK(ratio > 0, "base_anchors: ratio ", ratio, " must be positive");
    const float tall = std::sqrt(static_cast<float>(ratio)), wide = 1.0f / tall;
    for (double size : options.sizes[level]) {
      TS_CHECK(size > 0, "base_anchors: size ", size, " must be positive");
      const float half_width = wide * static_cast<float>(size) / 2, half_height = tall * static_cast<float>(size) / 2;
      for (float corner : {-half_width, -half_height, half_width, half_height}) {
        corners.push_back(options.round_base ? std::nearbyint(corner) : corner);  // halves to even
      }
    }
  }
  return corners;
}

AnchorSet make_anchors(Context& ctx, const AnchorOptions& options, int64_t padded_height, int64_t padded_width,
                       const std::vector<LevelSize>& feature_sizes) {
  TS_CHECK(!feature_sizes.empty() && feature_sizes.size() <= kMaxLevels, "make_anchors: ", feature_sizes.size(),
           " levels; expected 1 to ", int{kMaxLevels});
  TS_CHECK(options.sizes.size() == feature_sizes.size() && options.strides.size() == feature_sizes.size(),
           "make_anchors: ", options.sizes.size(), " lists of sizes and ", options.strides.size(), " strides for ",
           feature_sizes.size(), " levels");
  AnchorSet set;
  set.levels = lay_out_levels(options, padded_height, padded_width, feature_sizes);
  int64_t most = 0;
  for (const AnchorLevel& level : set.levels) most = std::max(most, level.per_cell);
  std::vector<float> base;
  for (size_t i = 0; i < set.levels.size(); ++i) {
    const std::vector<float> corners = base_anchors(options, i);
    base.insert(base.end(), corners.begin(), corners.end());
    base.resize((i + 1) * static_cast<size_t>(most) * 4);
  }
  const Tensor base_tensor = Tensor::from(ctx, {static_cast<int64_t>(base.size())}, base);
  set.boxes = Tensor::empty(ctx, {set.levels.back().first + set.levels.back().count(), 4});
  for_each_item(
      ctx, rows_of(set.levels),
      PlaceAnchors<float>{base_tensor.data<float>(), set.boxes.data<float>(), most, set.count(), table_of(set.levels)});
  return set;
}

Tensor anchor_validity(Context& ctx, const AnchorSet& anchors, int64_t images, const AnchorValidity& rules) {
  if (rules.own_sizes) check_shape("anchor_validity: own sizes", *rules.own_sizes, {images, 2});
  const bool bordered = rules.allowed_border >= 0;
  TS_CHECK(!bordered || rules.image_sizes, "anchor_validity: allowed_border ", rules.allowed_border,
           " needs the images' sizes");
  if (bordered) check_shape("anchor_validity: image sizes", *rules.image_sizes, {images, 2});
  Tensor valid = Tensor::empty(ctx, {images, anchors.count()}, DType::uint8);
  const int64_t rows = rows_of(anchors.levels);
  for_each_item(
      ctx, images * rows,
      JudgeAnchors<float>{anchors.boxes.data<float>(), rules.own_sizes ? rules.own_sizes->data<int32_t>() : nullptr,
                          bordered ? rules.image_sizes->data<int32_t>() : nullptr, valid.data<uint8_t>(),
                          anchors.count(), rows, static_cast<float>(rules.allowed_border), table_of(anchors.levels)});
  return valid;
}

}  // namespace tailseg
