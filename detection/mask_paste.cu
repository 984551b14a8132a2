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
  return {{low, static_cast<float>(size) / (high - low), 0.5f}, bilinear_part(low, high, size, limit)};
}

// torchvision: the box grows by (M + 2) / M about its centre and is cut to integers; its last pixel belongs to it.
Axis torchvision_axis(float low, float high, int64_t size, int64_t limit) {
  const float grown = static_cast<float>(size + 2) / static_cast<float>(size);
  const float centre = (high + low) * 0.5f, half = (high - low) * 0.5f * grown;
  const auto first = static_cast<int64_t>(centre - half), last = static_cast<int64_t>(centre + half);
  const int64_t extent = std::max<int64_t>(last - first + 1, 1);
  Axis axis;
  axis.map = {static_cast<float>(first), static_cast<float>(size + 2) / static_cast<float>(extent), -0.5f};
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

struct Jobs {
  std::vector<PasteJob> list;
  std::vector<int32_t> owner;  // of each column
  std::vector<PastedMask> masks;
  int64_t pixels = 0;
};

Jobs plan(const std::vector<float>& corners, int64_t size, int64_t photo_height, int64_t photo_width,
          MaskPasteRule rule) {
  const auto axis_of = rule == MaskPasteRule::torchvision ? torchvision_axis : bilinear_axis;
  Jobs jobs;
  for (size_t d = 0; d < corners.size() / 4; ++d) {
    const float* box = corners.data() + d * 4;
    PasteJob job{};
    if (drawable(box)) {
      const Axis x = axis_of(box[0], box[2], size, photo_width), y = axis_of(box[1], box[3], size, photo_height);
      job = {x.map, y.map, x.part.begin, y.part.begin, x.part.end - x.part.begin, y.part.end - y.part.begin, 0, 0};
    }
    job.begin = jobs.pixels;
    job.first_column = static_cast<int64_t>(jobs.owner.size());
    jobs.owner.insert(jobs.owner.end(), static_cast<size_t>(job.width), static_cast<int32_t>(d));
    jobs.pixels += int64_t{job.width} * job.height;
    jobs.list.push_back(job);
    jobs.masks.push_back({job.left, job.top, job.width, job.height, job.begin});
  }
  return jobs;
}

template <class Value>
std::vector<Value> paste(Context& ctx, const Tensor& probabilities, const Jobs& jobs, MaskPasteRule rule,
                         double threshold) {
  const auto columns = static_cast<int64_t>(jobs.owner.size());
  const auto size = static_cast<int32_t>(probabilities.size(2));
  const auto job_bytes = static_cast<int64_t>(jobs.list.size() * sizeof(PasteJob));
  const Tensor list = Tensor::from_host(ctx, {job_bytes}, DType::uint8, jobs.list.data());
  const Tensor owner = Tensor::from(ctx, {columns}, jobs.owner);
  const Tensor blends = Tensor::empty(ctx, {columns, size + 2});
  const Tensor pixels = Tensor::empty(ctx, {jobs.pixels}, dtype_of<Value>());
  const auto* job = reinterpret_cast<const PasteJob*>(list.raw());
  for_each_item(ctx, columns,
                BlendMaskColumns{probabilities.data<float>(), job, owner.data<int32_t>(), blends.data<float>(), size});
  for_each_item(
      ctx, columns,
      PasteMaskColumn<Value>{blends.data<float>(), job, owner.data<int32_t>(), pixels.data<Value>(), size,
                             double(jobs.pixels), static_cast<float>(threshold), rule != MaskPasteRule::torchvision});
  return pixels.to_vector<Value>(ctx);
}

Jobs checked_plan(Context& ctx, const Tensor& probabilities, const Tensor& boxes, int64_t photo_height,
                  int64_t photo_width, MaskPasteRule rule) {
  check_shape("paste_masks: boxes", boxes, {-1, 4});
  const int64_t size = probabilities.size(-1);
  check_shape("paste_masks: probabilities", probabilities, {boxes.size(0), size, size});
  return plan(boxes.to_vector<float>(ctx), size, photo_height, photo_width, rule);
}

}  // namespace

PastedMasks paste_masks(Context& ctx, const Tensor& probabilities, const Tensor& boxes, int64_t photo_height,
                        int64_t photo_width, MaskPasteRule rule, double threshold) {
  const Jobs jobs = checked_plan(ctx, probabilities, boxes, photo_height, photo_width, rule);
  return {jobs.masks, paste<uint8_t>(ctx, probabilities, jobs, rule, threshold)};
}

PastedProbabilities paste_probabilities(Context& ctx, const Tensor& probabilities, const Tensor& boxes,
                                        int64_t photo_height, int64_t photo_width, MaskPasteRule rule) {
  const Jobs jobs = checked_plan(ctx, probabilities, boxes, photo_height, photo_width, rule);
  return {jobs.masks, paste<float>(ctx, probabilities, jobs, rule, 0)};
}

}  // namespace tailseg
