#include "apps/picture/overlay.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "apps/picture/canvas.h"
#include "apps/picture/mask_paint.h"
#include "apps/picture/name_layout.h"
#include "apps/picture/stroke_font.h"
#include "datasets/image_resize.h"
#include "tensor/error.h"

namespace tailseg {
namespace {

constexpr Colour kBlack{0, 0, 0}, kWhite{255, 255, 255};
constexpr double kPlateOpacity = 0.72;

void check_instance(const Image& photo, const PictureInstance& instance) {
  if (instance.box) {
    for (const double side : *instance.box) {
      TS_CHECK(std::isfinite(side), "drawing '", instance.name, "': its box is not finite");
    }
  }
  if (instance.mask.empty()) return;
  const bool within = instance.mask_x >= 0 && instance.mask_y >= 0 && instance.mask_width > 0 &&
                      instance.mask_height > 0 && instance.mask_x + instance.mask_width <= photo.width &&
                      instance.mask_y + instance.mask_height <= photo.height;
  TS_CHECK(within && int64_t(instance.mask.size()) == instance.mask_width * instance.mask_height, "drawing '",
           instance.name, "': a mask of ", instance.mask_width, " x ", instance.mask_height, " at (", instance.mask_x,
           ", ", instance.mask_y, ") with ", instance.mask.size(), " bytes does not fit a photo of ", photo.width,
           " x ", photo.height);
}

// The box, or the frame of the mask; nothing for an instance that has neither.
std::optional<std::array<double, 4>> extent(const PictureInstance& instance) {
  if (instance.box) return instance.box;
  if (instance.mask.empty()) return {};
  return std::array<double, 4>{double(instance.mask_x), double(instance.mask_y),
                               double(instance.mask_x + instance.mask_width),
                               double(instance.mask_y + instance.mask_height)};
}

double area(const PictureInstance& instance) {
  const auto box = extent(instance);
  return box ? std::max(0.0, (*box)[2] - (*box)[0]) * std::max(0.0, (*box)[3] - (*box)[1]) : 0;
}

// Sizes in the picture grow with it: 1 at 560 x 560.
double picture_scale(const Image& canvas) {
  return std::max(1.0, std::round(4 * std::sqrt(double(canvas.width * canvas.height)) / 560) / 4);
}

std::string label_text(const PictureInstance& instance) {
  if (!instance.score) return instance.name;
  const std::string percent = std::to_string(int(std::lround(std::clamp(*instance.score, 0.0, 1.0) * 100))) + "%";
  return instance.name.empty() ? percent : instance.name + " " + percent;
}

// detectron2's rule: names of small objects are set down to 0.6 of the size of large ones; below 8 pixels nothing is
// legible.
double text_size(const Image& canvas, double box_height, bool crowded) {
  const double ratio = box_height / std::sqrt(double(canvas.width * canvas.height));
  const double share = std::clamp((ratio - 0.02) / 0.08 + 1, 1.2, 2.0) / 2;
  return std::max(8.0, (crowded ? 7.5 : 11) * picture_scale(canvas) * share);
}

class Labels {
 public:
  explicit Labels(bool crowded) : crowded_(crowded) {}

  void add(const Image& canvas, const PictureInstance& instance, const std::array<double, 4>& box,
           const Colour& colour) {
    Item item;
    item.text = label_text(instance);
    if (item.text.empty()) return;
    item.style.size = text_size(canvas, box[3] - box[1], crowded_);
    item.style.colour = mixed(colour, kWhite, brightness(colour) < 140 ? 0.7 : 0.5);
    item.padding = std::round(0.25 * item.style.size);
    items_.push_back(item);
    const double width = text_width(item.text, item.style) + 2 * item.padding;
    const double height = text_ascent(item.style) + text_descent(item.style) + item.padding;
    requests_.push_back({box[0], box[1], box[2], box[3], std::ceil(width), std::ceil(height)});
  }

  void draw(Image& canvas) const {
    const auto places = place_labels(requests_, double(canvas.width), double(canvas.height));
    for (size_t i = 0; i < items_.size(); ++i) {
      const double x = std::round(places[i].x), y = std::round(places[i].y);
      fill_rectangle(canvas, x, y, x + requests_[i].width, y + requests_[i].height, kBlack, kPlateOpacity);
      draw_text(canvas, x + items_[i].padding, y + items_[i].padding / 2 + text_ascent(items_[i].style), items_[i].text,
                items_[i].style);
    }
  }

 private:
  struct Item {
    std::string text;
    TextStyle style;
    double padding = 0;
  };
  bool crowded_;
  std::vector<Item> items_;
  std::vector<LabelRequest> requests_;
};

}  // namespace

void PictureInstance::set_mask(RleView rle) {
  mask.clear();
  const auto frame = rle_box(rle);
  mask_x = int64_t(frame[0]), mask_y = int64_t(frame[1]), mask_width = int64_t(frame[2]),
  mask_height = int64_t(frame[3]);
  if (mask_width <= 0 || mask_height <= 0) return;
  std::vector<uint8_t> whole(size_t(rle.height) * size_t(rle.width));
  rle_decode(rle, whole);
  for (int64_t y = mask_y; y < mask_y + mask_height; ++y) {
    const auto row = whole.begin() + std::ptrdiff_t(y * rle.width + mask_x);
    mask.insert(mask.end(), row, row + std::ptrdiff_t(mask_width));
  }
}

int64_t overlay_factor(int64_t width, int64_t height, size_t instances, const OverlayOptions& options) {
  const int64_t side = std::max<int64_t>({width, height, 1});
  const int64_t wanted = int64_t(instances) > options.crowd ? 2 * options.least_side : options.least_side;
  return std::max<int64_t>(1, (wanted + side - 1) / side);
}

Image enlarged(const Image& image, int64_t factor) {
  if (factor == 1) return image;
  Image result(image.width * factor, image.height * factor);
  RowResizer resizer;
  resizer.start(image, result.width, result.height, Resampler::kPillowTriangle);
  for (int64_t y = 0; y < result.height; ++y) resizer.row(y, result.row(y));
  return result;
}

Image draw_instances(const Image& photo, const std::vector<PictureInstance>& instances, const OverlayOptions& options) {
  for (const PictureInstance& instance : instances) check_instance(photo, instance);
  const int64_t factor = overlay_factor(photo.width, photo.height, instances.size(), options);
  Image canvas = enlarged(photo, factor);
  std::vector<size_t> order(instances.size());
  std::iota(order.begin(), order.end(), size_t(0));
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return area(instances[a]) > area(instances[b]); });
  const double line = 1.5 * picture_scale(canvas);
  Labels labels(int64_t(instances.size()) > options.crowd);
  for (const size_t index : order) {
    const PictureInstance& instance = instances[index];
    const Colour colour = instance_colour(instance.colour ? *instance.colour : int64_t(index));
    if (options.masks && !instance.mask.empty()) {
      paint_mask(canvas, instance, factor, colour, options.mask_opacity, line);
    }
    auto box = extent(instance);
    if (!box) continue;
    for (double& side : *box) side *= double(factor);
    if (options.boxes && instance.box) {
      draw_rectangle(canvas, (*box)[0], (*box)[1], (*box)[2], (*box)[3], line, colour, 0.8);
    }
    if (options.names) labels.add(canvas, instance, *box, colour);
  }
  labels.draw(canvas);
  return canvas;
}

}  // namespace tailseg
