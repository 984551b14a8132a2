// The product itself, on the host, and the check of its pointers.
#include <sstream>

#include "tests/card/gemm_lt.h"

namespace tailseg::card {
namespace {

size_t extent(const Layout& layout) {
  const auto elements = static_cast<size_t>(static_cast<int64_t>(layout.columns - 1) * layout.leading) + layout.rows;
  return elements * bytes_of(number_of(layout));
}

uint8_t* reach(const void* pointer, size_t bytes, size_t alignment, const char* what) {
  const auto address = reinterpret_cast<uint64_t>(pointer);
  std::ostringstream why;
  why << what << " at " << pointer << ": ";
  if (alignment && address % alignment != 0) {
    why << "not aligned to the " << alignment << " bytes that the heuristics were promised";
    refuse(why.str());
  }
  uint8_t* found = card().memory.find(address, bytes);
  why << bytes << " bytes there are not one block of device memory: " << card().memory.describe(address);
  if (!found) refuse(why.str());
  return found;
}

// Columns of memory as rows without gaps.
std::vector<float> gather(const uint8_t* from, const Layout& layout, Factors factors) {
  const Number type = number_of(layout);
  const size_t step = bytes_of(type);
  std::vector<float> out;
  out.reserve(layout.rows * layout.columns);
  for (uint64_t column = 0; column < layout.columns; ++column) {
    const uint8_t* at = from + column * static_cast<uint64_t>(layout.leading) * step;
    for (uint64_t row = 0; row < layout.rows; ++row) out.push_back(load(at + row * step, type, factors));
  }
  return out;
}

}  // namespace

// In rows: D^T [n, m] = op(B)^T op(A)^T.
void compute(const Problem& p, const Pointers& at, const Chosen& chosen) {
  const auto bytes = [](const void* pointer, const Layout& layout, const char* what) {
    return reach(pointer, extent(layout), 0, what);
  };
  const std::vector<float> a = gather(bytes(at.a, p.a, "A"), p.a, p.factors());
  const std::vector<float> b = gather(bytes(at.b, p.b, "B"), p.b, p.factors());
  const Number type = number_of(p.d);
  const size_t step = bytes_of(type);
  std::vector<float> d(static_cast<size_t>(p.m * p.n));
  multiply(p.product.transpose_b != 0, p.product.transpose_a != 0, p.n, p.m, p.k, b.data(), a.data(), false, d.data());
  const uint8_t* bias = p.has_bias() ? reach(p.product.bias, static_cast<size_t>(p.m) * step, 0, "the bias") : nullptr;
  if (chosen.workspace) std::memset(reach(at.workspace, chosen.workspace, 0, "the workspace"), 0xff, chosen.workspace);
  uint8_t* out = bytes(at.d, p.d, "D");
  for (int64_t column = 0; column < p.n; ++column) {
    for (int64_t row = 0; row < p.m; ++row) {
      float value = d[static_cast<size_t>(column * p.m + row)];
      if (bias) value += load(bias + static_cast<size_t>(row) * step, type);
      if (p.has_relu() && value < 0) value = 0;
      store(out + static_cast<size_t>(column * p.d.leading + row) * step, type, value);
    }
  }
}

void check_pointers(const Problem& p, const Pointers& at, const Chosen& chosen, size_t workspace_bytes) {
  reach(at.a, extent(p.a), chosen.align_a, "A");
  reach(at.b, extent(p.b), chosen.align_b, "B");
  reach(at.d, extent(p.d), chosen.align_d, "D");
  if (p.has_bias()) reach(p.product.bias, static_cast<size_t>(p.m) * bytes_of(number_of(p.d)), 0, "the bias");
  if (workspace_bytes < chosen.workspace) refuse("less workspace than the algorithm said");
  if (workspace_bytes > 0) reach(at.workspace, workspace_bytes, 16, "the workspace");
  const auto apart = [&](const void* other, size_t bytes, const char* what) {
    const auto d = reinterpret_cast<uint64_t>(at.d), begin = reinterpret_cast<uint64_t>(other);
    if (d < begin + bytes && begin < d + extent(p.d)) refuse(std::string("D lies over ") + what);
  };
  apart(at.a, extent(p.a), "A");
  apart(at.b, extent(p.b), "B");
  if (workspace_bytes > 0) apart(at.workspace, workspace_bytes, "the workspace");
}

}  // namespace tailseg::card
