// The convolution itself, on the host: the inputs of each output place laid out as a row, a matrix product, the
// epilogue, one rounding. Some rows of the output at a time, so that the layout stays small.
#include <algorithm>
#include <cstring>
#include <sstream>

#include "tests/card/cudnn_plan.h"
#include "tests/card/runtime_card.h"

namespace tailseg::card {
namespace {

constexpr int64_t kMostColumns = 1 << 22;  // floats that are laid out at a time

uint8_t* reach(const void* pointer, size_t bytes) {
  uint8_t* found = card().memory.find(reinterpret_cast<uint64_t>(pointer), bytes);
  if (found) return found;
  std::ostringstream why;
  why << bytes << " bytes at " << pointer << ": " << card().memory.describe(reinterpret_cast<uint64_t>(pointer));
  throw Fault(why.str());
}

// A tensor as floats, its axes in the order N, H, W, C.
std::vector<float> gather(const PlanTensor& tensor, const void* pointer, Factors factors) {
  const uint8_t* from = reach(pointer, tensor.bytes());
  const size_t step = bytes_of(tensor.type);
  const auto [n, c, h, w] = tensor.size;
  std::vector<float> out;
  out.reserve(static_cast<size_t>(n * c * h * w));
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t y = 0; y < h; ++y) {
      for (int64_t x = 0; x < w; ++x) {
        const int64_t at = i * tensor.stride[0] + y * tensor.stride[2] + x * tensor.stride[3];
        for (int64_t k = 0; k < c; ++k) {
          out.push_back(load(from + static_cast<size_t>(at + k * tensor.stride[1]) * step, tensor.type, factors));
        }
      }
    }
  }
  return out;
}

class Convolution {
 public:
  explicit Convolution(const ConvPlan& plan)
      : plan_(plan),
        groups_(plan.groups()),
        channels_(plan.w.size[1]),
        filters_(plan.w.size[0] / groups_),
        taps_(plan.w.size[2] * plan.w.size[3]),
        width_(taps_ * channels_),
        q_(plan.y.size[3]),
        rows_(std::max<int64_t>(1, kMostColumns / (q_ * width_))),
        columns_(static_cast<size_t>(std::min(rows_, plan.y.size[2]) * q_ * width_)),
        part_(static_cast<size_t>(std::min(rows_, plan.y.size[2]) * q_ * filters_)) {}

  // Whichever of the three is the result is zero before and complete behind; axes in the order of gather().
  void run(std::vector<float>& x, std::vector<float>& w, std::vector<float>& y) {
    for (int64_t image = 0; image < plan_.x.size[0]; ++image) {
      for (int64_t group = 0; group < groups_; ++group) {
        float* filters = w.data() + group * filters_ * width_;
        for (int64_t row = 0; row < plan_.y.size[2]; row += rows_) {
          const int64_t places = std::min(rows_, plan_.y.size[2] - row) * q_;
          step(x.data(), filters, y.data(), image, group, row, places);
        }
      }
    }
  }

 private:
  void step(float* x, float* w, float* y, int64_t image, int64_t group, int64_t row, int64_t places) {
    switch (plan_.direction) {
      case Direction::forward:
        lay_out(x, image, group, row, places, true);
        multiply(false, true, places, filters_, width_, columns_.data(), w, false, part_.data());
        move_part(y, image, group, row, places, false);
        break;
      case Direction::backward_data:
        move_part(y, image, group, row, places, true);
        multiply(false, false, places, width_, filters_, part_.data(), w, false, columns_.data());
        lay_out(x, image, group, row, places, false);
        break;
      case Direction::backward_filter:
        lay_out(x, image, group, row, places, true);
        move_part(y, image, group, row, places, true);
        multiply(true, false, filters_, width_, places, part_.data(), columns_.data(), true, w);
        break;
    }
  }

  // The inputs of `places` outputs from row `row` on to columns_, or columns_ added to the inputs.
  void lay_out(float* x, int64_t image, int64_t group, int64_t row, int64_t places, bool out) {
    const int64_t height = plan_.x.size[2], width = plan_.x.size[3], all = plan_.x.size[1];
    float* column = columns_.data();
    for (int64_t place = 0; place < places; ++place) {
      for (int64_t tap = 0; tap < taps_; ++tap, column += channels_) {
        const int64_t r = tap / plan_.w.size[3], s = tap % plan_.w.size[3];
        const int64_t h = (row + place / q_) * plan_.stride[0] - plan_.padding[0] + r * plan_.dilation[0];
        const int64_t v = place % q_ * plan_.stride[1] - plan_.padding[1] + s * plan_.dilation[1];
        const bool inside = h >= 0 && h < height && v >= 0 && v < width;
        float* pixel = inside ? x + ((image * height + h) * width + v) * all + group * channels_ : nullptr;
        if (out && inside) std::copy(pixel, pixel + channels_, column);
        if (out && !inside) std::fill(column, column + channels_, 0.f);
        if (!out && inside) {
          for (int64_t c = 0; c < channels_; ++c) pixel[c] += column[c];
        }
      }
    }
  }

  // One group's filters of `places` outputs: to part_, or from it.
  void move_part(float* y, int64_t image, int64_t group, int64_t row, int64_t places, bool to_part) {
    const int64_t all = plan_.y.size[1];
    float* at = y + ((image * plan_.y.size[2] + row) * q_) * all + group * filters_;
    float* part = part_.data();
    for (int64_t place = 0; place < places; ++place, at += all, part += filters_) {
      if (to_part)
        std::copy(at, at + filters_, part);
      else
        std::copy(part, part + filters_, at);
    }
  }

  const ConvPlan& plan_;
  int64_t groups_, channels_, filters_, taps_, width_, q_, rows_;
  std::vector<float> columns_, part_;
};

// The epilogue and the one rounding.
void write(const ConvPlan& plan, const std::vector<float>& result, const std::vector<const void*>& pointers,
           void* out_pointer) {
  std::vector<const uint8_t*> added;
  size_t next = 3;
  for (const PlanStep& step : plan.steps) {
    added.push_back(step.relu ? nullptr : reach(pointers.at(next++), step.added.bytes()));
  }
  uint8_t* to = reach(out_pointer, plan.out.bytes());
  const auto [n, c, h, w] = plan.out.size;
  size_t at = 0;
  for (int64_t i = 0; i < n * h * w; ++i) {
    const std::array<int64_t, 3> place{i / (h * w), i / w % h, i % w};
    for (int64_t k = 0; k < c; ++k) {
      const auto offset = [&](const PlanTensor& tensor) {
        const auto along = [&](size_t axis, int64_t index) {
          return tensor.size[axis] == 1 ? 0 : index * tensor.stride[axis];
        };
        return static_cast<size_t>(along(0, place[0]) + along(1, k) + along(2, place[1]) + along(3, place[2])) *
               bytes_of(tensor.type);
      };
      float value = result[at++];
      for (size_t s = 0; s < plan.steps.size(); ++s) {
        const PlanStep& step = plan.steps[s];
        if (step.relu)
          value = value < 0 ? 0 : value;
        else
          value += load(added[s] + offset(step.added), step.added.type);
      }
      store(to + offset(plan.out), plan.out.type, value);
    }
  }
}

}  // namespace

void run_plan(const ConvPlan& plan, const std::vector<const void*>& pointers, const void* workspace) {
  const Factors factors = plan.engine == kExactEngine ? Factors::as_they_are : Factors::tf32;
  const auto operand = [&](const PlanTensor& tensor, size_t index, Direction result) {
    const int64_t elements = tensor.size[0] * tensor.size[1] * tensor.size[2] * tensor.size[3];
    if (plan.direction == result) return std::vector<float>(static_cast<size_t>(elements), 0.f);
    return gather(tensor, pointers.at(index), factors);
  };
  std::vector<float> x = operand(plan.x, 0, Direction::backward_data),
                     w = operand(plan.w, 1, Direction::backward_filter), y = operand(plan.y, 2, Direction::forward);
  Convolution(plan).run(x, w, y);
  const auto bytes = static_cast<size_t>(plan.workspace);
  if (bytes > 0) std::memset(reach(workspace, bytes), 0xff, bytes);
  const size_t index = plan.direction == Direction::forward ? 2 : plan.direction == Direction::backward_data ? 0 : 1;
  write(plan, index == 2 ? y : index == 0 ? x : w, pointers, const_cast<void*>(pointers.at(index)));
}

}  // namespace tailseg::card
