// A convolution with its epilogue as plain numbers: read off cuDNN's operation graph, written to text and back, and
// run.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/card/gemm_multiply.h"

namespace tailseg::card {

struct Stored;

struct PlanTensor {
  int64_t uid = 0, alignment = 1, is_virtual = 0;
  Number type = Number::float32;
  std::array<int64_t, 4> size{}, stride{};  // N, C, H, W; of filters K, C, R, S

  size_t bytes() const {  // from the first element to the last
    int64_t last = 0;
    for (size_t i = 0; i < 4; ++i) last += (size[i] - 1) * stride[i];
    return static_cast<size_t>(last + 1) * bytes_of(type);
  }
  bool operator==(const PlanTensor&) const = default;
};

enum class Direction : int64_t { forward, backward_data, backward_filter };

struct PlanStep {  // relu, or the addition of a tensor
  bool relu = false;
  PlanTensor added;
};

struct ConvPlan {
  Direction direction = Direction::forward;
  PlanTensor x, w, y;  // of the forward direction; the result's place is `out`
  PlanTensor out;
  std::array<int64_t, 2> padding{}, stride{}, dilation{};
  std::vector<PlanStep> steps;
  int64_t engine = 0, workspace = 0;

  int64_t groups() const { return x.size[1] / w.size[1]; }
  std::vector<PlanTensor> bound() const;  // what pointers are needed for
  std::string json() const;
};

ConvPlan plan_of_graph(const Stored& graph);       // throws CudnnRefused
ConvPlan plan_from_json(const std::string& json);  // throws CudnnRefused
std::string refusal(const ConvPlan& plan);         // why no engine does this one; empty when one does

// Pointers in the order of bound(), and scratch of plan.workspace bytes. The tensors are in device memory when this is
// called, or it throws Fault.
void run_plan(const ConvPlan& plan, const std::vector<const void*>& pointers, const void* workspace);

// The engines of the heuristics: the first is not repeatable, the second is short of bits, the third exact.
constexpr int64_t kRandomEngine = 0, kShortEngine = 1, kExactEngine = 2;

}  // namespace tailseg::card
