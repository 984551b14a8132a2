#pragma once

#include "tensor/body.h"

namespace tailseg {

// How one axis of one mask maps to the photo: photo pixel i reads mask position (i + 0.5 - start) * scale - 0.5.
struct PasteAxis {
  float start, scale;
};

struct PasteJob {
  PasteAxis x, y;
  int32_t left, top, width, height;  // the part of the photo
  int32_t pad;                       // zeros around the mask: torchvision 1
  bool clamp;                        // positions below 0 read pixel 0 (an image resize); else the outside is zero
  int64_t begin, first_column;       // in the output; columns of the masks before
};

// One item = one column of one mask's part; lanes walk its rows (contiguous).
struct PasteMaskColumn {
  static constexpr const char* name = "paste_mask_column";
  static constexpr Lanes lanes = Lanes::warp;
  const float* probabilities;  // [D, M, M]
  const PasteJob* jobs;        // [D]
  const int32_t* job_of;       // [columns]
  uint8_t* out;
  int64_t size;
  float threshold;
  bool inclusive;  // >= threshold, else >

  template <class Group>
  TS_HD void operator()(Group group, int64_t item) const {
    const int64_t d = job_of[item];
    const PasteJob& job = jobs[d];
    const int64_t column = item - job.first_column;
    const float x = position(job.x, job.left + column, job.clamp);
    for (int64_t row = group.rank(); row < job.height; row += group.size()) {
      const float value = sample(d, job, position(job.y, job.top + row, job.clamp), x);
      out[job.begin + column * job.height + row] = inclusive ? value >= threshold : value > threshold;
    }
  }
  Cost cost(int64_t items) const { return {double(items) * 200, double(items) * 6000}; }

 private:
  TS_HD static float position(const PasteAxis& axis, int64_t i, bool clamp) {
    const float at = (static_cast<float>(i) + 0.5f - axis.start) * axis.scale - 0.5f;
    return clamp ? math::max(at, 0.f) : at;
  }
  TS_HD float texel(int64_t d, int64_t pad, int64_t row, int64_t column) const {
    row -= pad;
    column -= pad;
    if (row < 0 || row >= size || column < 0 || column >= size) return 0;
    return probabilities[(d * size + row) * size + column];
  }
  TS_HD float sample(int64_t d, const PasteJob& job, float y, float x) const {
    const auto y0 = static_cast<int64_t>(math::floor(y)), x0 = static_cast<int64_t>(math::floor(x));
    const float ly = y - static_cast<float>(y0), lx = x - static_cast<float>(x0);
    int64_t y1 = y0 + 1, x1 = x0 + 1;
    if (job.clamp) {  // an image resize repeats its last pixel
      const int64_t last = size + 2 * int64_t{job.pad} - 1;
      y1 = math::min(y1, last);
      x1 = math::min(x1, last);
    }
    return (1 - ly) * ((1 - lx) * texel(d, job.pad, y0, x0) + lx * texel(d, job.pad, y0, x1)) +
           ly * ((1 - lx) * texel(d, job.pad, y1, x0) + lx * texel(d, job.pad, y1, x1));
  }
};

}  // namespace tailseg
