// Ops refuse tensors of another device before any kernel sees them. Two contexts on the CPU with different indices
// stand for two devices: what is compared is the device that a tensor remembers, never the memory itself.
#include "tensor/device_check.h"

#include <catch2/catch.hpp>

#include "tensor/conv.h"
#include "tensor/elementwise.h"
#include "tensor/matmul.h"
#include "tensor/sort.h"
#include "tests/devices.h"

using namespace tailseg;
using Catch::Matchers::Contains;

TEST_CASE("products, convolutions, sorts and sums name the op and the tensor of another device") {
  Context here, there(Device{DeviceKind::cpu, 1});
  const Tensor a = Tensor::zeros(here, {2, 2}), b = Tensor::zeros(there, {2, 2});
  REQUIRE_NOTHROW(matmul(here, a, a, {}));
  REQUIRE_THROWS_WITH(matmul(here, b, a, {}), Contains("matmul") && Contains("first matrix") && Contains("is on"));
  REQUIRE_THROWS_WITH(matmul(here, a, b, {}), Contains("matmul") && Contains("second matrix") && Contains("is on"));
  REQUIRE_THROWS_WITH(matmul_into(here, a, a, {}, b), Contains("matmul") && Contains("result") && Contains("is on"));
  REQUIRE_THROWS_WITH(add(here, a, b), Contains("add") && Contains("second operand") && Contains("is on"));
  REQUIRE_THROWS_WITH(scale(here, b, 2), Contains("scale") && Contains("operand") && Contains("is on"));
  REQUIRE_THROWS_WITH(topk(here, b, 1), Contains("topk") && Contains("keys") && Contains("is on"));
  REQUIRE_THROWS_WITH(exclusive_scan(here, Tensor::zeros(there, {3}, DType::int32)),
                      Contains("exclusive_scan") && Contains("input") && Contains("is on"));
  const Tensor x = Tensor::zeros(here, {1, 4, 4, 3}), w = Tensor::zeros(here, {2, 1, 1, 3}),
               bias = Tensor::zeros(there, {2});
  const Tensor far_x = Tensor::zeros(there, {1, 4, 4, 3}), far_w = Tensor::zeros(there, {2, 1, 1, 3});
  const Tensor y = Tensor::zeros(here, {1, 4, 4, 2}), far_y = Tensor::zeros(there, {1, 4, 4, 2});
  REQUIRE_THROWS_WITH(conv2d(here, far_x, w, {}, {}), Contains("conv2d") && Contains("input") && Contains("is on"));
  REQUIRE_THROWS_WITH(conv2d(here, x, far_w, {}, {}), Contains("conv2d") && Contains("filters") && Contains("is on"));
  REQUIRE_THROWS_WITH(conv2d(here, x, w, {}, {.bias = &bias}),
                      Contains("conv2d") && Contains("bias") && Contains("is on"));
  REQUIRE_THROWS_WITH(conv2d(here, x, w, {}, {.residual = &far_y}),
                      Contains("conv2d") && Contains("residual") && Contains("is on"));
  REQUIRE_THROWS_WITH(conv2d_backward_data(here, far_y, w, x.shape(), {}, {}),
                      Contains("backward_data") && Contains("gradient") && Contains("is on"));
  REQUIRE_THROWS_WITH(conv2d_backward_filter(here, x, y, {}, far_w),
                      Contains("backward_filter") && Contains("result") && Contains("is on"));
}

TEST_CASE("a tensor of the CPU does not reach a kernel of a GPU nor the other way round") {
  Context cpu;
  const Tensor a = Tensor::zeros(cpu, {2, 2});
  for (Context* ctx : devices()) {
    if (!ctx->device().is_cuda()) continue;
    const Tensor b = Tensor::zeros(*ctx, {2, 2});
    REQUIRE_THROWS_WITH(add(*ctx, b, a), Contains("is on cpu, but the context works on cuda:0"));
    REQUIRE_THROWS_WITH(add(cpu, a, b), Contains("is on cuda:0, but the context works on cpu"));
  }
}
