#ifdef TAILSEG_OPENMP
#include <omp.h>
#endif

#include "tensor/onednn.h"
#include "tensor/onednn_plan.h"

namespace tailseg::onednn {

ThreadScope::ThreadScope([[maybe_unused]] int threads) {
#ifdef TAILSEG_OPENMP
  before_ = omp_get_max_threads();
  omp_set_num_threads(threads);
#endif
}

ThreadScope::~ThreadScope() {
#ifdef TAILSEG_OPENMP
  omp_set_num_threads(before_);
#endif
}

dnnl::memory::data_type data_type_of(DType dtype) {
  using Type = dnnl::memory::data_type;
  TS_CHECK(dtype == DType::float32 || dtype == DType::bfloat16, "oneDNN has no ", name_of(dtype));
  return dtype == DType::float32 ? Type::f32 : Type::bf16;
}

Operand make_operand(const dnnl::engine& engine, int argument, const dnnl::memory::desc& ours,
                     const dnnl::memory::desc& library, bool is_result) {
  Operand operand{argument, ours, library, {}, is_result};
  if (ours == library) return operand;
  const auto& from = is_result ? library : ours;
  const auto& to = is_result ? ours : library;
  operand.conversion = dnnl::reorder(dnnl::reorder::primitive_desc(engine, from, engine, to));
  return operand;
}

dnnl::primitive_attr make_attributes(bool residual, bool relu) {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  dnnl::post_ops steps;
  if (residual) steps.append_sum(1.0f);
  if (relu) steps.append_eltwise(1.0f, dnnl::algorithm::eltwise_relu, 0.0f, 0.0f);
  attributes.set_post_ops(steps);
  return attributes;
}

Plans::Plans(Context& ctx) : engine_(dnnl::engine::kind::cpu, 0), stream_(engine_), scratch_(ctx.allocator()) {
  dnnl::set_primitive_cache_capacity(0);  // the library's own cache would keep what ours has dropped
}

Plan* Plans::look_up(const Key& key) {
  const auto found = index_.find(key);
  if (found == index_.end()) return nullptr;
  order_.splice(order_.begin(), order_, found->second);
  return &found->second->second;
}

Plan& Plans::insert(const Key& key, Plan plan) {
  ++made_;
  if (kept() >= kCapacity) {
    index_.erase(order_.back().first);
    order_.pop_back();
  }
  order_.emplace_front(key, std::move(plan));
  index_[key] = order_.begin();
  return order_.front().second;
}

void Plans::run(Context& ctx, const Plan& plan, const std::vector<void*>& pointers) {
  checked(plan.shapes, [&] {
    const ThreadScope threads(ctx.threads());
    Scratch::Frame scratch(scratch_);
    std::unordered_map<int, dnnl::memory> arguments;
    for (size_t i = 0; i < plan.operands.size(); ++i) {
      const Operand& operand = plan.operands[i];
      const dnnl::memory ours(operand.ours, engine_, pointers[i]);
      if (!operand.conversion) {
        arguments[operand.argument] = ours;
        continue;
      }
      const dnnl::memory theirs(operand.library, engine_, scratch.take(operand.library.get_size()));
      if (!operand.is_result) {
        operand.conversion.execute(stream_, {{DNNL_ARG_FROM, ours}, {DNNL_ARG_TO, theirs}});
      }
      arguments[operand.argument] = theirs;
    }
    arguments[DNNL_ARG_SCRATCHPAD] = dnnl::memory(plan.scratchpad, engine_, scratch.take(plan.scratchpad.get_size()));
    plan.primitive.execute(stream_, arguments);
    for (size_t i = 0; i < plan.operands.size(); ++i) {
      const Operand& operand = plan.operands[i];
      if (!operand.conversion || !operand.is_result) continue;
      const dnnl::memory ours(operand.ours, engine_, pointers[i]);
      operand.conversion.execute(stream_, {{DNNL_ARG_FROM, arguments[operand.argument]}, {DNNL_ARG_TO, ours}});
    }
    stream_.wait();
  });
}

void Plans::execute(const Plan& plan, std::initializer_list<void*> pointers, void* scratch) const {
  checked(plan.shapes, [&] {
    dnnl::stream stream(engine_);
    std::unordered_map<int, dnnl::memory> arguments;
    const Operand* operand = plan.operands.data();
    for (void* pointer : pointers) {
      arguments[operand->argument] = dnnl::memory(operand->library, engine_, pointer);
      ++operand;
    }
    arguments[DNNL_ARG_SCRATCHPAD] = dnnl::memory(plan.scratchpad, engine_, scratch);
    plan.primitive.execute(stream, arguments);
    stream.wait();
  });
}

}  // namespace tailseg::onednn

namespace tailseg {

bool has_bfloat16_products() {
  constexpr auto kNeeded = static_cast<unsigned>(dnnl::cpu_isa::avx512_core_bf16);
  static const bool has = (static_cast<unsigned>(dnnl::get_effective_cpu_isa()) & kNeeded) == kNeeded;
  return has;
}

PlanFigures onednn_plans(Context& ctx) {
  const auto& plans = ctx.state<onednn::Plans>();
  return {plans.kept(), plans.made(), plans.kCapacity};
}

}  // namespace tailseg
