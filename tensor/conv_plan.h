// A convolution library plans once for each problem: which of its engines, with which settings and how much scratch.
// Here is what makes two problems the same (the key), and the file that keeps the choices so that the next run makes
// the same ones without asking the heuristics again. The planning itself is in conv_cuda.cpp.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tensor/context.h"
#include "tensor/conv.h"

namespace tailseg {

enum class ConvDirection : uint8_t { forward, backward_data, backward_filter };

struct ConvPlanKey {
  ConvDirection direction = ConvDirection::forward;
  DType dtype = DType::float32;
  MathMode math = MathMode::float32;
  int64_t n = 0, h = 0, w = 0, c = 0;  // input, of the forward direction
  int64_t k = 0, r = 0, s = 0;         // filters
  int64_t p = 0, q = 0;                // output
  int64_t stride = 1, padding = 0, dilation = 1, groups = 1;
  bool bias = false, residual = false, relu = false;
  int alignment = 16;  // bytes that divide the address of every tensor, 16 at most

  bool operator==(const ConvPlanKey&) const = default;
  bool has_epilogue() const { return bias || residual || relu; }
  double products() const;   // multiply-adds of the definition
  std::string text() const;  // every field, one line: the key in the plan file
};

struct HashConvPlanKey {
  size_t operator()(const ConvPlanKey& key) const;
};

// x [N, H, W, C], w [K, R, S, C], y [N, P, Q, K]; the epilogue's tensors count by their presence only.
ConvPlanKey conv_plan_key(ConvDirection direction, const Tensor& x, const Tensor& w, const Tensor& y,
                          const ConvGeometry& geometry, const ConvEpilogue& epilogue, MathMode math);

// May an engine with these properties be used for the key?
struct EngineNotes {
  bool nondeterministic = false;
  bool tensor_core = false;           // for float32 tensors that is TF32, whether or not the next is said too
  bool down_converts_inputs = false;  // float32 factors are cut to a shorter type
  bool reduced_precision_sums = false;
  bool winograd = false;
  bool fft = false;
};
bool engine_is_allowed(const EngineNotes& notes, const ConvPlanKey& key);
// With TAILSEG_ANY_ENGINE=1 the library's first choice is taken whatever it is, and plans are neither written down nor
// read back: to measure what repeatable engines cost.
bool takes_any_engine();

// Plans in the library's own words (JSON), by key. Kept for one library version and one kind of card: of any other they
// are worthless, so such a file reads as empty.
class PlanFile {
 public:
  PlanFile(std::string library, std::string device) : library_(std::move(library)), device_(std::move(device)) {}

  // Adds what the file holds. A missing file holds nothing; throws Error, naming file and byte, when it is no plan
  // file. Returns the number of plans taken.
  size_t load(const std::string& path);
  void save(const std::string& path) const;  // written under another name, then renamed

  const std::string* find(const std::string& key) const;  // null: none
  void set(const std::string& key, std::string plan) { plans_[key] = std::move(plan); }
  size_t size() const { return plans_.size(); }

 private:
  std::string library_, device_;
  std::map<std::string, std::string> plans_;
};

// What was planned and why, for people.
struct ConvPlanReport {
  std::string key;
  std::string engine;  // the library's name for it, or "naive body" / "unfused" when nothing fitted
  int64_t workspace_bytes = 0;
  EngineNotes notes;
  int rejected = 0;  // engines offered earlier that were not deterministic, not precise or not buildable
  bool from_file = false;
};

// The convolution plans of this context. A CPU context has none: reads nothing, writes nothing.
size_t load_conv_plans(Context& ctx, const std::string& path);
void save_conv_plans(Context& ctx, const std::string& path);
std::vector<ConvPlanReport> conv_plan_reports(Context& ctx);

// Plans without a GPU, for a card whose properties were written down by device_properties. Throws Error with every
// engine's refusal when none fits. Only in CUDA builds.
ConvPlanReport plan_conv_without_device(const ConvPlanKey& key, const std::string& device_properties);
std::string device_properties(Context& ctx);  // JSON; of a CUDA context

}  // namespace tailseg
