// Convolution by cuDNN's backend graph API. A problem that comes for the first time is planned: the heuristics (mode A,
// then FALLBACK) name engines in their order of preference, and the first that may be used, can be built and needs no
// more than kWorkspaceLimit of scratch is kept for the context's life. Nothing is timed, so the choice repeats; it can
// also be written to a file and read back (conv_plan.h).
//
// A fused form that no engine offers is done as the bare convolution plus one pass of our own; a convolution that no
// engine offers is done by the naive body, which the kernel table then shows.
//
// With bfloat16 data no engine takes a float32 bias or writes a float32 gradient of the filters (cuDNN 9.19, asked for
// every layer of R50-FPN). So the library gets a rounded bias, and its gradient is summed in float32 and rounded once
// (conv_parameter_dtype); in float32 they are cast before and behind it.
#include <unordered_map>

#include "tensor/conv.h"
#include "tensor/conv_epilogue.h"
#include "tensor/conv_plan.h"
#include "tensor/cudnn_conv_graph.h"
#include "tensor/elementwise.h"
#include "tensor/profiler.h"
#include "tensor/workspace.h"

namespace tailseg {
namespace {

using cudnn::ConvGraph;
using cudnn::Descriptor;

constexpr int64_t kWorkspaceLimit = int64_t{1} << 30;

// Where a plan will run: a card behind a handle, or one that is only described.
struct Target {
  cudnnHandle_t handle = nullptr;
  const Descriptor* properties = nullptr;

  void attach(Descriptor& plan) const {
    if (handle) plan.set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, handle);
    if (properties) plan.set(CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, *properties);
  }
};

struct Plan {
  std::unique_ptr<Descriptor> descriptor;  // null: no engine fits
  int64_t workspace = 0;
  ConvPlanReport report;
  std::string refusals;  // a line for each engine that was not taken

  std::string json() const {
    const std::vector<char> characters = descriptor->get<char>(CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION);
    return {characters.begin(), characters.end()};
  }
};

EngineNotes notes_of(const Descriptor& engine) {
  EngineNotes notes;
  for (auto note : engine.get<cudnnBackendNumericalNote_t>(CUDNN_ATTR_ENGINE_NUMERICAL_NOTE)) {
    notes.nondeterministic |= note == CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC;
    notes.tensor_core |= note == CUDNN_NUMERICAL_NOTE_TENSOR_CORE;
    notes.down_converts_inputs |= note == CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS;
    notes.reduced_precision_sums |= note == CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION;
    notes.fft |= note == CUDNN_NUMERICAL_NOTE_FFT;
    notes.winograd |= note == CUDNN_NUMERICAL_NOTE_WINOGRAD || note == CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_4x4 ||
                      note == CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_6x6 ||
                      note == CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_13x13;
  }
  return notes;
}

int64_t workspace_of(const Descriptor& plan) {
  return plan.get<int64_t>(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE).at(0);
}

// Engine configurations in the heuristics' order of preference; none when this mode has nothing for the graph.
std::vector<Descriptor> ask_heuristics(const Descriptor& graph, const Target& target, cudnnBackendHeurMode_t mode) {
  Descriptor heuristics(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  heuristics.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph).set(CUDNN_ATTR_ENGINEHEUR_MODE, mode);
  if (target.properties) heuristics.set(CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, *target.properties);
  if (!heuristics.try_finalize().empty()) return {};
  return heuristics.get_all(CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
}

// Builds the plan of one configuration into `plan`; the reason when it cannot be used.
std::string try_engine(const Descriptor& config, const ConvPlanKey& key, const Target& target, Plan& plan) {
  Descriptor engine(CUDNN_BACKEND_ENGINE_DESCRIPTOR);
  config.get(CUDNN_ATTR_ENGINECFG_ENGINE, engine);
  const int64_t index = engine.get<int64_t>(CUDNN_ATTR_ENGINE_GLOBAL_INDEX).at(0);
  const std::string name = text("engine ", index);
  plan.report.notes = notes_of(engine);
  if (!engine_is_allowed(plan.report.notes, key) && !takes_any_engine()) {
    return name + ": not repeatable or not precise enough";
  }
  auto built = std::make_unique<Descriptor>(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
  built->set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, config);
  target.attach(*built);
  if (const std::string refusal = built->try_finalize(); !refusal.empty()) return name + ": " + refusal;
  plan.workspace = workspace_of(*built);
  if (plan.workspace > kWorkspaceLimit) return text(name, ": wants ", plan.workspace >> 20, " MiB of scratch");
  plan.descriptor = std::move(built);
  plan.report.engine = name;
  plan.report.workspace_bytes = plan.workspace;
  return {};
}

Plan search_plan(const ConvPlanKey& key, const Target& target) {
  Plan plan;
  plan.report.key = key.text();
  ConvGraph graph(key);
  const Descriptor& operations = graph.finalize(target.handle);
  for (cudnnBackendHeurMode_t mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK}) {
    for (const Descriptor& config : ask_heuristics(operations, target, mode)) {
      const std::string refusal = try_engine(config, key, target, plan);
      if (refusal.empty()) return plan;
      ++plan.report.rejected;
      plan.refusals += "\n  " + refusal;
    }
  }
  return plan;
}

Plan plan_from_json(const std::string& json, const ConvPlanKey& key, const Target& target) {
  Plan plan;
  plan.report.key = key.text();
  auto built = std::make_unique<Descriptor>(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
  target.attach(*built);
  built->set(CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION, json);
  if (const std::string refusal = built->try_finalize(); !refusal.empty()) {
    plan.refusals = "\n  the stored plan: " + refusal;
    return plan;
  }
  plan.workspace = workspace_of(*built);
  plan.descriptor = std::move(built);
  plan.report.engine = "stored";
  plan.report.workspace_bytes = plan.workspace;
  plan.report.from_file = true;
  return plan;
}

std::string card_name(int index) {
  cudaDeviceProp card{};
  TS_CHECK(cudaGetDeviceProperties(&card, index) == cudaSuccess, "cannot read the properties of cuda:", index);
  return text(card.name, ", compute capability ", card.major, ".", card.minor, ", ", card.multiProcessorCount, " SMs");
}

// The handle and the plans of one context.
class CudnnState {
 public:
  explicit CudnnState(Context& ctx)
      : file_(text("cuDNN ", cudnnGetVersion()), card_name(ctx.device().index)), ctx_(ctx) {
    TS_CUDNN_CHECK(cudnnCreate(&handle_));
    TS_CUDNN_CHECK(cudnnSetStream(handle_, static_cast<cudaStream_t>(ctx.stream())));
  }
  ~CudnnState() {
    plans_.clear();
    cudnnDestroy(handle_);
  }
  CudnnState(const CudnnState&) = delete;
  CudnnState& operator=(const CudnnState&) = delete;

  cudnnHandle_t handle() const { return handle_; }

  const Plan& plan(const ConvPlanKey& key) {
    const auto known = plans_.find(key);
    if (known != plans_.end()) return known->second;
    Plan made;
    const Target target{handle_, nullptr};
    if (const std::string* stored = file_.find(key.text())) made = plan_from_json(*stored, key, target);
    if (!made.descriptor) made = search_plan(key, target);
    if (!made.descriptor) made.report.engine = key.has_epilogue() ? "unfused" : "naive body";
    return plans_.emplace(key, std::move(made)).first->second;
  }

  void execute(const Plan& plan, const ConvPlanKey& key, const char* name, const Tensor& x, const Tensor& w,
               const Tensor& y, const ConvEpilogue& epilogue) {
    std::vector<int64_t> uids{cudnn::kX, cudnn::kW, cudnn::kY};
    std::vector<void*> pointers{x.raw(), w.raw(), y.raw()};
    double bytes = double(x.bytes() + w.bytes() + y.bytes());
    const auto bind = [&](int64_t uid, const Tensor* tensor) {
      if (!tensor) return;
      uids.push_back(uid);
      pointers.push_back(tensor->raw());
      bytes += double(tensor->bytes());
    };
    bind(cudnn::kBias, epilogue.bias);
    bind(cudnn::kResidual, epilogue.residual);
    Descriptor pack(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
    pack.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, uids)
        .set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, pointers)
        .set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, ctx_.state<Workspace>().reserve(static_cast<size_t>(plan.workspace)));
    pack.finalize();
    const KernelScope scope(ctx_, name, {bytes, 2 * key.products()});
    TS_CUDNN_CHECK(cudnnBackendExecute(handle_, plan.descriptor->raw(), pack.raw()));
  }

  size_t load(const std::string& path) { return file_.load(path); }
  void save(const std::string& path) {
    for (const auto& [key, plan] : plans_) {
      if (plan.descriptor) file_.set(key.text(), plan.json());
    }
    file_.save(path);
  }
  std::vector<ConvPlanReport> reports() const {
    std::vector<ConvPlanReport> all;
    for (const auto& [key, plan] : plans_) all.push_back(plan.report);
    return all;
  }

 private:
  cudnnHandle_t handle_ = nullptr;
  PlanFile file_;
  Context& ctx_;
  std::unordered_map<ConvPlanKey, Plan, HashConvPlanKey> plans_;
};

void check_dtype(const Tensor& x) {
  TS_CHECK(x.dtype() == DType::float32 || x.dtype() == DType::bfloat16,
           "convolution on CUDA: float32 or bfloat16, got ", name_of(x.dtype()));
}

// Runs the fused form, or the bare one with the epilogue behind it. False when there is no engine for either.
bool run(Context& ctx, ConvDirection direction, const char* name, const Tensor& x, const Tensor& w, const Tensor& y,
         const ConvGeometry& geometry, const ConvEpilogue& epilogue) {
  check_dtype(x);
  CudnnState& state = ctx.state<CudnnState>();
  const ConvPlanKey key = conv_plan_key(direction, x, w, y, geometry, epilogue, ctx.math());
  if (const Plan& plan = state.plan(key); plan.descriptor) {
    const Tensor bias = epilogue.bias ? cast(ctx, *epilogue.bias, x.dtype()) : Tensor();
    state.execute(plan, key, name, x, w, y, {epilogue.bias ? &bias : nullptr, epilogue.residual, epilogue.relu});
    return true;
  }
  if (!key.has_epilogue()) return false;
  const ConvPlanKey bare = conv_plan_key(direction, x, w, y, geometry, {}, ctx.math());
  const Plan& plan = state.plan(bare);
  if (!plan.descriptor) return false;
  state.execute(plan, bare, name, x, w, y, {});
  apply_conv_epilogue(ctx, direction == ConvDirection::forward ? y : x, epilogue);
  return true;
}

}  // namespace

void conv2d_cuda(Context& ctx, const Tensor& x, const Tensor& w, const ConvGeometry& geometry,
                 const ConvEpilogue& epilogue, const Tensor& y) {
  if (run(ctx, ConvDirection::forward, "conv_forward", x, w, y, geometry, epilogue)) return;
  conv2d_naive(ctx, x, w, geometry, epilogue, y);
}

void conv2d_backward_data_cuda(Context& ctx, const Tensor& dy, const Tensor& w, const ConvGeometry& geometry,
                               const ConvEpilogue& epilogue, const Tensor& dx) {
  if (run(ctx, ConvDirection::backward_data, "conv_backward_data", dx, w, dy, geometry, epilogue)) return;
  conv2d_backward_data_naive(ctx, dy, w, geometry, epilogue, dx);
}

void conv2d_backward_filter_cuda(Context& ctx, const Tensor& x, const Tensor& dy, const ConvGeometry& geometry,
                                 const Tensor& dw) {
  const Tensor to = dw.dtype() == x.dtype() ? dw : Tensor::empty(ctx, dw.shape(), x.dtype());
  if (!run(ctx, ConvDirection::backward_filter, "conv_backward_filter", x, to, dy, geometry, {})) {
    return conv2d_backward_filter_naive(ctx, x, dy, geometry, dw);
  }
  if (!to.same_memory(dw)) cast_into(ctx, to, dw);
}

size_t load_conv_plans(Context& ctx, const std::string& path) {
  return ctx.device().is_cuda() && !takes_any_engine() ? ctx.state<CudnnState>().load(path) : 0;
}

void save_conv_plans(Context& ctx, const std::string& path) {
  if (ctx.device().is_cuda() && !takes_any_engine()) ctx.state<CudnnState>().save(path);
}

std::vector<ConvPlanReport> conv_plan_reports(Context& ctx) {
  return ctx.device().is_cuda() ? ctx.state<CudnnState>().reports() : std::vector<ConvPlanReport>{};
}

ConvPlanReport plan_conv_without_device(const ConvPlanKey& key, const std::string& device_properties) {
  Descriptor properties(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
  properties.set(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, device_properties);
  properties.finalize();
  const Target target{nullptr, &properties};
  const Plan plan = search_plan(key, target);
  TS_CHECK(plan.descriptor, "no cuDNN engine for ", key.text(), plan.refusals);
  const Plan again = plan_from_json(plan.json(), key, target);
  TS_CHECK(again.descriptor && again.workspace == plan.workspace, "the plan of ", key.text(),
           " does not survive being written down", again.refusals);
  return plan.report;
}

std::string device_properties(Context& ctx) {
  Descriptor properties(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
  properties.set(CUDNN_ATTR_DEVICEPROP_HANDLE, ctx.state<CudnnState>().handle());
  properties.finalize();
  const std::vector<char> characters = properties.get<char>(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION);
  return {characters.begin(), characters.end()};
}

}  // namespace tailseg
