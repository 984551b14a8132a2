// Matrix products by cuBLASLt. It thinks in columns: our row-major out = A B is its column-major out^T = B^T A^T, so
// the operands change places and nothing is transposed in memory. Bias and ReLU ride along as its epilogue.
//
// Repeatable: the algorithm is the first that cuBLASLt's own heuristics name for the shape (no timing), remembered for
// the context's life, and one that splits the inner axis must add its float32 parts in a workspace, in order.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <unordered_map>

#include "tensor/cublas_check.h"
#include "tensor/elementwise.h"
#include "tensor/matmul.h"
#include "tensor/profiler.h"
#include "tensor/workspace.h"

namespace tailseg {
namespace {

constexpr size_t kWorkspaceBytes = size_t{32} << 20;  // what NVIDIA recommends for Hopper; older cards ask for less

struct Shapes {  // the key of the algorithm cache
  int64_t m, n, k;
  bool transpose_a, transpose_b, bias, relu, bfloat16, full_out;  // full_out: a float32 result of bfloat16
  MathMode math;
  unsigned a_alignment, b_alignment, out_alignment;
  bool operator==(const Shapes&) const = default;
};

struct HashShapes {
  size_t operator()(const Shapes& s) const {
    size_t hash = 1469598103934665603u;
    const auto mix = [&hash](int64_t value) { hash = (hash ^ static_cast<size_t>(value)) * 1099511628211u; };
    for (int64_t value : {s.m, s.n, s.k}) mix(value);
    mix(s.transpose_a | s.transpose_b << 1 | s.bias << 2 | s.relu << 3 | s.bfloat16 << 4 | s.full_out << 5);
    mix(static_cast<int64_t>(s.math));
    mix(s.a_alignment | s.b_alignment << 10 | s.out_alignment << 20);
    return hash;
  }
};

struct Algorithm {
  cublasLtMatmulAlgo_t algorithm;
  size_t workspace;
};

struct CublasState {
  explicit CublasState(Context&) { TS_CUBLAS_CHECK(cublasLtCreate(&handle)); }
  ~CublasState() { cublasLtDestroy(handle); }
  CublasState(const CublasState&) = delete;
  CublasState& operator=(const CublasState&) = delete;

  cublasLtHandle_t handle = nullptr;
  std::unordered_map<Shapes, std::optional<Algorithm>, HashShapes> algorithms;
};

// Largest power of two up to 256 that divides the address: faster algorithms want 16 and more.
unsigned alignment_of(const Tensor& tensor) {
  const auto address = reinterpret_cast<uintptr_t>(tensor.raw()) | 256;
  return static_cast<unsigned>(address & (~address + 1));
}

cublasComputeType_t compute_type(const Context& ctx, bool bfloat16) {
  if (bfloat16 || ctx.math() == MathMode::float32) return CUBLAS_COMPUTE_32F;
  return ctx.math() == MathMode::tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F_FAST_16BF;
}

// The four descriptors of one call, on the stack.
struct Problem {
  cublasLtMatmulDescOpaque_t product;
  cublasLtMatrixLayoutOpaque_t first, second, out;

  Problem(const Context& ctx, const Shapes& s, const void* bias) {
    const cudaDataType_t type = s.bfloat16 ? CUDA_R_16BF : CUDA_R_32F;
    const auto rows = [](int64_t size) { return static_cast<uint64_t>(size); };
    TS_CUBLAS_CHECK(cublasLtMatmulDescInit(&product, compute_type(ctx, s.bfloat16), CUDA_R_32F));
    set(CUBLASLT_MATMUL_DESC_TRANSA, s.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N);
    set(CUBLASLT_MATMUL_DESC_TRANSB, s.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N);
    set(CUBLASLT_MATMUL_DESC_EPILOGUE, s.bias ? (s.relu ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_BIAS)
                                              : (s.relu ? CUBLASLT_EPILOGUE_RELU : CUBLASLT_EPILOGUE_DEFAULT));
    if (s.bias) set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
    const int64_t b_width = s.transpose_b ? s.k : s.n, a_width = s.transpose_a ? s.m : s.k;
    TS_CUBLAS_CHECK(cublasLtMatrixLayoutInit(&first, type, rows(b_width), rows(s.transpose_b ? s.n : s.k), b_width));
    TS_CUBLAS_CHECK(cublasLtMatrixLayoutInit(&second, type, rows(a_width), rows(s.transpose_a ? s.k : s.m), a_width));
    TS_CUBLAS_CHECK(cublasLtMatrixLayoutInit(&out, s.full_out ? CUDA_R_32F : type, rows(s.n), rows(s.m), s.n));
  }

 private:
  template <class Value>
  void set(cublasLtMatmulDescAttributes_t attribute, Value value) {
    TS_CUBLAS_CHECK(cublasLtMatmulDescSetAttribute(&product, attribute, &value, sizeof(value)));
  }
};

// The first choice of the heuristics among the algorithms with this way of adding up a split inner axis.
std::optional<Algorithm> ask_heuristics(cublasLtHandle_t handle, const Shapes& s, Problem& problem,
                                        cublasLtReductionScheme_t reduction) {
  cublasLtMatmulPreferenceOpaque_t wishes;
  TS_CUBLAS_CHECK(cublasLtMatmulPreferenceInit(&wishes));
  const auto wish = [&wishes](cublasLtMatmulPreferenceAttributes_t attribute, auto value) {
    TS_CUBLAS_CHECK(cublasLtMatmulPreferenceSetAttribute(&wishes, attribute, &value, sizeof(value)));
  };
  wish(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, kWorkspaceBytes);
  wish(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, static_cast<uint32_t>(reduction));
  wish(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, static_cast<uint32_t>(s.b_alignment));
  wish(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, static_cast<uint32_t>(s.a_alignment));
  wish(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, static_cast<uint32_t>(s.out_alignment));
  wish(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, static_cast<uint32_t>(s.out_alignment));
  cublasLtMatmulHeuristicResult_t result{};
  int found = 0;
  const cublasStatus_t status =
      cublasLtMatmulAlgoGetHeuristic(handle, &problem.product, &problem.first, &problem.second, &problem.out,
                                     &problem.out, &wishes, 1, &result, &found);
  if (status == CUBLAS_STATUS_NOT_SUPPORTED || (status == CUBLAS_STATUS_SUCCESS && found == 0)) return std::nullopt;
  TS_CUBLAS_CHECK(status);
  TS_CUBLAS_CHECK(result.state);
  return Algorithm{result.algo, result.workspaceSize};
}

std::optional<Algorithm> choose_algorithm(cublasLtHandle_t handle, const Shapes& s, Problem& problem) {
  const auto split = ask_heuristics(handle, s, problem, CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE);
  return split ? split : ask_heuristics(handle, s, problem, CUBLASLT_REDUCTION_SCHEME_NONE);
}

}  // namespace

void matmul_cuda(Context& ctx, const Tensor& a, const Tensor& b, const MatmulOptions& options, const Tensor& out) {
  TS_CHECK(a.dtype() == DType::float32 || a.dtype() == DType::bfloat16, "matmul on CUDA: float32 or bfloat16, got ",
           name_of(a.dtype()));
  // The library's epilogue takes a bias of the result's dtype only.
  const Tensor bias = options.bias ? cast(ctx, *options.bias, out.dtype()) : Tensor();
  const Shapes shapes{out.size(0),
                      out.size(1),
                      a.size(options.transpose_a ? 0 : 1),
                      options.transpose_a,
                      options.transpose_b,
                      options.bias != nullptr,
                      options.relu,
                      a.dtype() == DType::bfloat16,
                      out.dtype() == DType::float32,
                      ctx.math(),
                      alignment_of(a),
                      alignment_of(b),
                      alignment_of(out)};
  CublasState& state = ctx.state<CublasState>();
  Problem problem(ctx, shapes, options.bias ? bias.raw() : nullptr);
  auto known = state.algorithms.find(shapes);
  if (known == state.algorithms.end()) {
    known = state.algorithms.emplace(shapes, choose_algorithm(state.handle, shapes, problem)).first;
  }
  if (!known->second) return matmul_naive(ctx, a, b, options, out);  // no algorithm for so odd a shape
  const Algorithm& chosen = *known->second;
  void* workspace = ctx.state<Workspace>().reserve(chosen.workspace);
  const KernelScope scope(
      ctx, "matmul",
      {double(a.bytes() + b.bytes() + out.bytes()), 2.0 * double(shapes.m) * double(shapes.n) * double(shapes.k)});
  const float one = 1, zero = 0;
  TS_CUBLAS_CHECK(cublasLtMatmul(state.handle, &problem.product, &one, b.raw(), &problem.first, a.raw(),
                                 &problem.second, &zero, out.raw(), &problem.out, out.raw(), &problem.out,
                                 &chosen.algorithm, workspace, chosen.workspace,
                                 static_cast<cudaStream_t>(ctx.stream())));
}

}  // namespace tailseg
