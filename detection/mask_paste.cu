#include "detection/mask_paste.h"

#include <cmath>

#include "detection/mask_paste_body.h"
#include "tensor/launch.h"

namespace tailseg {
namespace {

struct Part {  // [begin, end) of one axis
  int32_t begin = 0, end = 0;
};

// The pixels whose sample can be above zero: the mask reaches half a texel beyond its box.
Part bilinear_part(float low, float high, int64_t size, int64_t limit) {
  const float margin = (high - low) / static_cast<float>(size) + 1;
  const float last = static_cast<float>(limit);
  return {static_cast<int32_t>(std::clamp(std::floor(low - margin), 0.f, last)),
          static_cast<int32_t>(std::clamp(std::ceil(high + margin), 0.f, last))};
}

struct Axis {
  PasteAxis map{};
  Part part;
};

Axis bilinear_axis(float low, float high, int64_t size, int64_t limit) {
  return {{low, static_cast<float>(size) / (high - low)}, bilinear_part(low, high, size, limit)};
}

// torchvision: the box grows by (M + 2) / M about its centre and is cut to integers; its last pixel belongs to it.
Axis torchvision_axis(float low, float high, int64_t size, int64_t limit) {
  const float grown = static_cast<float>(size + 2) / static_cast<float>(size);
  const float centre = (high + low) * 0.5f, half = (high - low) * 0.5f * grown;
  const auto first = static_cast<int64_t>(centre - half), last = static_cast<int64_t>(centre + half);
  const int64_t extent = std::max<int64_t>(last - first + 1, 1);
  Axis axis;
  axis.map = {static_cast<float>(first), static_cast<float>(size + 2) / static_cast<float>(extent)};
  axis.part = {static_cast<int32_t>(std::clamp<int64_t>(first, 0, limit)),
               static_cast<int32_t>(std::clamp<int64_t>(first + extent, 0, limit))};
  return axis;
}

bool drawable(const float* box) {
  for (int i = 0; i < 4; ++i) {
    if (!(std::abs(box[i]) < 1e7f)) return false;
  }
  return box[2] > box[0] && box[3] > box[1];
}

}  // namespace

PastedMasks paste_masks(Context& ctx, const Tensor& probabilities, const Tensor& boxes, int64_t photo_height,
                        int64_t photo_width, MaskPasteRule rule, double threshold) {
  check_shape("paste_masks: boxes", boxes, {-1, 4});
  const int64_t count = boxes.size(0), size = probabilities.size(-1);
  check_shape("paste_masks: probabilities", probabilities, {count, size, size});
  const std::vector<float> corners = boxes.to_vector<float>(ctx);
  const bool torchvision = rule == MaskPasteRule::torchvision;
  PastedMasks out;
  std::vector<PasteJob> jobs;
  std::vector<int32_t> job_of;
  int64_t bytes = 0;
  for (int64_t d = 0; d < count; ++d) {
    const float* box = corners.data() + d * 4;
    PasteJob job{};
    if (drawable(box)) {
      const auto axis_of = torchvision ? torchvision_axis : bilinear_axis;
      const Axis x = axis_of(box[0], box[2], size, photo_width), y = axis_of(box[1], box[3], size, photo_height);
      job = {x.map,
             y.map,
             x.part.begin,
             y.part.begin,
             x.part.end - x.part.begin,
             y.part.end - y.part.begin,
             torchvision ? 1 : 0,
             torchvision,
             0,
             0};
    }
    job.begin = bytes;
    job.first_column = static_cast<int64_t>(job_of.size());
    job_of.insert(job_of.end(), static_cast<size_t>(job.width), static_cast<int32_t>(d));
    bytes += int64_t{job.width} * job.height;
    jobs.push_back(job);
    out.masks.push_back({job.left, job.top, job.width, job.height, job.begin});
  }
  const Tensor pixels = Tensor::empty(ctx, {bytes}, DType::uint8);
  const Tensor job_bytes =
      Tensor::from_host(ctx, {static_cast<int64_t>(jobs.size() * sizeof(PasteJob))}, DType::uint8, jobs.data());
  const auto columns = static_cast<int64_t>(job_of.size());
  const Tensor owners = Tensor::from(ctx, {columns}, job_of);
  for_each_item(ctx, columns,
                PasteMaskColumn{probabilities.data<float>(), reinterpret_cast<const PasteJob*>(job_bytes.raw()),
                                owners.data<int32_t>(), pixels.data<uint8_t>(), size, static_cast<float>(threshold),
                                !torchvision});
  out.pixels = pixels.to_vector<uint8_t>(ctx);
  return out;
}

}  // namespace tailseg
