// cuBLASLt's descriptors as the emulated card keeps them inside the caller's opaque ones, and one product with every
// field checked.
#pragma once

#include <cublasLt.h>

#include <cstring>
#include <string>

#include "tests/card/gemm_multiply.h"
#include "tests/card/runtime_card.h"

namespace tailseg::card {

constexpr uint32_t kSign = 0x7a11ca4d;  // begins every descriptor of ours: memory that was never made one has another

struct Layout {
  uint32_t sign;
  int32_t type;
  uint64_t rows, columns;
  int64_t leading;
};
struct Product {
  uint32_t sign;
  int32_t compute, scale, transpose_a, transpose_b, epilogue;
  const void* bias;
};
struct Wishes {
  uint32_t sign, reductions, align_a, align_b, align_c, align_d;
  uint64_t workspace;
};
// What the heuristics promised for: the call must be the same.
struct Chosen {
  uint32_t sign;
  uint16_t align_a, align_b, align_c, align_d;
  uint32_t workspace;
  uint64_t shapes;
};
static_assert(sizeof(Layout) <= sizeof(cublasLtMatrixLayoutOpaque_t));
static_assert(sizeof(Product) <= sizeof(cublasLtMatmulDescOpaque_t));
static_assert(sizeof(Wishes) <= sizeof(cublasLtMatmulPreferenceOpaque_t));
static_assert(sizeof(Chosen) <= sizeof(cublasLtMatmulAlgo_t));

struct Handle {
  uint32_t sign;
};

struct Refused {
  cublasStatus_t status;
  std::string why;
};

[[noreturn]] inline void refuse(const std::string& why, cublasStatus_t status = CUBLAS_STATUS_INVALID_VALUE) {
  throw Refused{status, why};
}

template <class T>
T read(const void* opaque, const char* what) {
  T told;
  if (!opaque) refuse(std::string("no ") + what);
  std::memcpy(&told, opaque, sizeof(T));
  if (told.sign != kSign) refuse(std::string(what) + " was never initialised");
  return told;
}

template <class Body>
cublasStatus_t guarded_lt(const char* call, Body body) {
  const std::lock_guard lock(card().mutex);
  try {
    if (card().sticky != cudaSuccess) return CUBLAS_STATUS_EXECUTION_FAILED;
    body();
    return CUBLAS_STATUS_SUCCESS;
  } catch (const Refused& refused) {
    tell(std::string(call) + ": " + refused.why);
    return refused.status;
  }
}

inline Number number_of(const Layout& layout) {
  if (layout.type == CUDA_R_32F) return Number::float32;
  if (layout.type == CUDA_R_16BF) return Number::bfloat16;
  refuse("a matrix of a type that the emulated card does not multiply", CUBLAS_STATUS_NOT_SUPPORTED);
}

// The whole problem, checked.
struct Problem {
  Product product;
  Layout a, b, d;
  int64_t m, n, k;

  Problem(const void* desc, const void* a_desc, const void* b_desc, const void* c_desc, const void* d_desc)
      : product(read<Product>(desc, "product")),
        a(read<Layout>(a_desc, "layout of A")),
        b(read<Layout>(b_desc, "layout of B")),
        d(read<Layout>(d_desc, "layout of D")) {
    const Layout c = read<Layout>(c_desc, "layout of C");
    m = static_cast<int64_t>(product.transpose_a ? a.columns : a.rows);
    k = static_cast<int64_t>(product.transpose_a ? a.rows : a.columns);
    n = static_cast<int64_t>(product.transpose_b ? b.rows : b.columns);
    if (static_cast<int64_t>(product.transpose_b ? b.columns : b.rows) != k) refuse("A and B do not fit together");
    if (static_cast<int64_t>(d.rows) != m || static_cast<int64_t>(d.columns) != n) refuse("D is not op(A) op(B)");
    if (std::memcmp(&c, &d, sizeof(Layout)) != 0) refuse("C and D differ");
    for (const Layout* layout : {&a, &b, &d}) {
      (void)number_of(*layout);
      if (layout->leading < static_cast<int64_t>(layout->rows)) refuse("a leading dimension smaller than the rows");
      if (layout->rows == 0 || layout->columns == 0) refuse("an empty matrix");
    }
    if (a.type != b.type) refuse("A and B of different types", CUBLAS_STATUS_NOT_SUPPORTED);
    if (a.type == CUDA_R_32F && d.type != CUDA_R_32F) refuse("types A, D", CUBLAS_STATUS_NOT_SUPPORTED);
    if (product.scale != CUDA_R_32F) refuse("scale type", CUBLAS_STATUS_NOT_SUPPORTED);
    (void)factors();
  }

  bool has_bias() const {
    return product.epilogue == CUBLASLT_EPILOGUE_BIAS || product.epilogue == CUBLASLT_EPILOGUE_RELU_BIAS;
  }
  bool has_relu() const {
    return product.epilogue == CUBLASLT_EPILOGUE_RELU || product.epilogue == CUBLASLT_EPILOGUE_RELU_BIAS;
  }
  Factors factors() const {
    if (product.compute == CUBLAS_COMPUTE_32F) return Factors::as_they_are;
    if (a.type != CUDA_R_32F) refuse("a fast compute type is for float32", CUBLAS_STATUS_NOT_SUPPORTED);
    if (product.compute == CUBLAS_COMPUTE_32F_FAST_TF32) return Factors::tf32;
    if (product.compute == CUBLAS_COMPUTE_32F_FAST_16BF) return Factors::bfloat16;
    refuse("a compute type that the emulated card does not have", CUBLAS_STATUS_NOT_SUPPORTED);
  }
  uint64_t fingerprint() const {
    uint64_t hash = 1469598103934665603u;
    for (int64_t value :
         {m, n, k, a.leading, b.leading, d.leading, int64_t{a.type}, int64_t{d.type}, int64_t{product.compute},
          int64_t{product.epilogue}, int64_t{product.transpose_a}, int64_t{product.transpose_b}}) {
      hash = (hash ^ static_cast<uint64_t>(value)) * 1099511628211u;
    }
    return hash;
  }
};

struct Pointers {
  const void *a, *b;
  void *d, *workspace;
};

// Now: every pointer of the call. Throws Refused.
void check_pointers(const Problem& problem, const Pointers& at, const Chosen& chosen, size_t workspace_bytes);
// When the stream comes to it. Throws Refused.
void compute(const Problem& problem, const Pointers& at, const Chosen& chosen);

}  // namespace tailseg::card
