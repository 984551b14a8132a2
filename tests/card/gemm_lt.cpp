// cuBLASLt's calls: what they keep, what they refuse.
#include "tests/card/gemm_lt.h"

using namespace tailseg::card;

namespace {

constexpr size_t kSplitWorkspace = 1 << 20;

void check_handle(cublasLtHandle_t handle) {
  if (!handle || reinterpret_cast<const Handle*>(handle)->sign != kSign) {
    refuse("no such handle", CUBLAS_STATUS_NOT_INITIALIZED);
  }
}

}  // namespace

extern "C" {

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  return guarded_lt("cublasLtCreate", [&] {
    if (forbid_in_capture("cublasLtCreate") != cudaSuccess) refuse("it asks for memory", CUBLAS_STATUS_ALLOC_FAILED);
    *handle = reinterpret_cast<cublasLtHandle_t>(new Handle{kSign});
  });
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
  return guarded_lt("cublasLtDestroy", [&] {
    check_handle(handle);
    delete reinterpret_cast<Handle*>(handle);
  });
}

const char* cublasLtGetStatusName(cublasStatus_t status) {
  switch (status) {
    case CUBLAS_STATUS_SUCCESS:
      return "CUBLAS_STATUS_SUCCESS";
    case CUBLAS_STATUS_NOT_INITIALIZED:
      return "CUBLAS_STATUS_NOT_INITIALIZED";
    case CUBLAS_STATUS_ALLOC_FAILED:
      return "CUBLAS_STATUS_ALLOC_FAILED";
    case CUBLAS_STATUS_INVALID_VALUE:
      return "CUBLAS_STATUS_INVALID_VALUE";
    case CUBLAS_STATUS_EXECUTION_FAILED:
      return "CUBLAS_STATUS_EXECUTION_FAILED";
    case CUBLAS_STATUS_NOT_SUPPORTED:
      return "CUBLAS_STATUS_NOT_SUPPORTED";
    default:
      return "CUBLAS_STATUS_UNKNOWN";
  }
}
const char* cublasLtGetStatusString(cublasStatus_t status) { return cublasLtGetStatusName(status); }

cublasStatus_t cublasLtMatrixLayoutInit_internal(cublasLtMatrixLayout_t layout, size_t size, cudaDataType type,
                                                 uint64_t rows, uint64_t columns, int64_t leading) {
  return guarded_lt("cublasLtMatrixLayoutInit", [&] {
    if (size < sizeof(Layout)) refuse("too small a descriptor", CUBLAS_STATUS_ALLOC_FAILED);
    const Layout told{kSign, type, rows, columns, leading};
    std::memcpy(layout, &told, sizeof(told));
  });
}

cublasStatus_t cublasLtMatmulDescInit_internal(cublasLtMatmulDesc_t product, size_t size, cublasComputeType_t compute,
                                               cudaDataType_t scale) {
  return guarded_lt("cublasLtMatmulDescInit", [&] {
    if (size < sizeof(Product)) refuse("too small a descriptor", CUBLAS_STATUS_ALLOC_FAILED);
    const Product told{kSign, compute, scale, 0, 0, CUBLASLT_EPILOGUE_DEFAULT, nullptr};
    std::memcpy(product, &told, sizeof(told));
  });
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t product, cublasLtMatmulDescAttributes_t name,
                                              const void* value, size_t size) {
  return guarded_lt("cublasLtMatmulDescSetAttribute", [&] {
    Product told = read<Product>(product, "product");
    const auto set = [&](auto& field) {
      if (!value || size != sizeof(field)) refuse("the size of attribute " + std::to_string(name));
      std::memcpy(&field, value, size);
    };
    switch (name) {
      case CUBLASLT_MATMUL_DESC_TRANSA:
        set(told.transpose_a);
        break;
      case CUBLASLT_MATMUL_DESC_TRANSB:
        set(told.transpose_b);
        break;
      case CUBLASLT_MATMUL_DESC_EPILOGUE:
        set(told.epilogue);
        break;
      case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
        set(told.bias);
        break;
      default:
        refuse("attribute " + std::to_string(name) + " is not emulated", CUBLAS_STATUS_NOT_SUPPORTED);
    }
    if (told.transpose_a > CUBLAS_OP_T || told.transpose_b > CUBLAS_OP_T) refuse("a transposition that does not exist");
    std::memcpy(product, &told, sizeof(told));
  });
}

cublasStatus_t cublasLtMatmulPreferenceInit_internal(cublasLtMatmulPreference_t wishes, size_t size) {
  return guarded_lt("cublasLtMatmulPreferenceInit", [&] {
    if (size < sizeof(Wishes)) refuse("too small a descriptor", CUBLAS_STATUS_ALLOC_FAILED);
    const Wishes told{kSign, CUBLASLT_REDUCTION_SCHEME_MASK, 256, 256, 256, 256, 0};
    std::memcpy(wishes, &told, sizeof(told));
  });
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t wishes,
                                                    cublasLtMatmulPreferenceAttributes_t name, const void* value,
                                                    size_t size) {
  return guarded_lt("cublasLtMatmulPreferenceSetAttribute", [&] {
    Wishes told = read<Wishes>(wishes, "preference");
    const auto set = [&](auto& field) {
      if (!value || size != sizeof(field)) refuse("the size of attribute " + std::to_string(name));
      std::memcpy(&field, value, size);
    };
    switch (name) {
      case CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES:
        set(told.workspace);
        break;
      case CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK:
        set(told.reductions);
        break;
      case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES:
        set(told.align_a);
        break;
      case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES:
        set(told.align_b);
        break;
      case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES:
        set(told.align_c);
        break;
      case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES:
        set(told.align_d);
        break;
      default:
        refuse("attribute " + std::to_string(name) + " is not emulated", CUBLAS_STATUS_NOT_SUPPORTED);
    }
    std::memcpy(wishes, &told, sizeof(told));
  });
}

// One algorithm. Long inner axes are split, which takes workspace, where the wishes permit it.
cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t product,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int wanted,
                                              cublasLtMatmulHeuristicResult_t* results, int* found) {
  return guarded_lt("cublasLtMatmulAlgoGetHeuristic", [&] {
    check_handle(handle);
    const Problem problem(product, a, b, c, d);
    const Wishes wishes = read<Wishes>(preference, "preference");
    if (wanted < 1 || !results || !found) refuse("no room for a result");
    for (uint32_t alignment : {wishes.align_a, wishes.align_b, wishes.align_c, wishes.align_d}) {
      if (alignment == 0 || (alignment & (alignment - 1)) != 0) refuse("an alignment that is no power of two");
    }
    const bool split = (wishes.reductions & CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE) && problem.k >= 64 &&
                       wishes.workspace >= kSplitWorkspace;
    const Chosen chosen{kSign,
                        static_cast<uint16_t>(wishes.align_a),
                        static_cast<uint16_t>(wishes.align_b),
                        static_cast<uint16_t>(wishes.align_c),
                        static_cast<uint16_t>(wishes.align_d),
                        split ? static_cast<uint32_t>(kSplitWorkspace) : 0,
                        problem.fingerprint()};
    results[0] = {};
    std::memcpy(&results[0].algo, &chosen, sizeof(chosen));
    results[0].workspaceSize = chosen.workspace;
    results[0].state = CUBLAS_STATUS_SUCCESS;
    results[0].wavesCount = 1;
    *found = 1;
  });
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t product, const void* alpha, const void* a,
                              cublasLtMatrixLayout_t a_layout, const void* b, cublasLtMatrixLayout_t b_layout,
                              const void* beta, const void* c, cublasLtMatrixLayout_t c_layout, void* d,
                              cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t* algorithm, void* workspace,
                              size_t workspace_bytes, cudaStream_t at) {
  return guarded_lt("cublasLtMatmul", [&] {
    check_handle(handle);
    const Problem problem(product, a_layout, b_layout, c_layout, d_layout);
    const Chosen chosen = read<Chosen>(algorithm, "algorithm");
    if (chosen.shapes != problem.fingerprint()) refuse("the algorithm was chosen for another product");
    if (card().memory.in_window(alpha) || card().memory.in_window(beta)) refuse("alpha or beta on the device");
    if (*static_cast<const float*>(alpha) != 1 || *static_cast<const float*>(beta) != 0) {
      refuse("alpha is not 1, or beta not 0", CUBLAS_STATUS_NOT_SUPPORTED);
    }
    if (c != d) refuse("C is not D");
    const Pointers pointers{a, b, d, workspace};
    check_pointers(problem, pointers, chosen, workspace_bytes);
    Stream* stream = stream_of(at, "cublasLtMatmul");
    if (!stream) refuse("no such stream");
    const auto run = [problem, pointers, chosen] {
      try {
        compute(problem, pointers, chosen);
      } catch (const Refused& refused) {
        throw Fault(refused.why);
      }
    };
    if (enqueue(*stream, {"cublasLtMatmul", run}) != cudaSuccess) {
      refuse("the stream does not take it", CUBLAS_STATUS_EXECUTION_FAILED);
    }
  });
}

}  // extern "C"
