// Copies that do not wait, fills and memory figures, on the CPU and on a GPU where there is one.
#include "tensor/staging.h"

#include <catch2/catch.hpp>
#include <numeric>

#include "tensor/device_calls.h"
#include "tensor/fill_body.h"
#include "tests/crew.h"
#include "tests/devices.h"

using namespace tailseg;

TEST_CASE("staged copies arrive whole although the source is overwritten at once") {
  for (Context* ctx : devices()) {
    std::vector<Tensor> copies;
    std::vector<int32_t> source(100000);
    for (int32_t round = 0; round < 20; ++round) {
      std::iota(source.begin(), source.end(), round * 1000);
      Tensor to = Tensor::empty(*ctx, {100000}, DType::int32);
      ctx->state<Staging>().copy_to_device(to.raw(), source.data(), to.bytes());
      copies.push_back(to);
      source.assign(source.size(), -1);
    }
    for (int32_t round = 0; round < 20; ++round) {
      std::iota(source.begin(), source.end(), round * 1000);
      REQUIRE(copies[static_cast<size_t>(round)].to_vector<int32_t>(*ctx) == source);
    }
  }
}

TEST_CASE("a readback keeps the values of the moment it was started") {
  for (Context* ctx : devices()) {
    Tensor loss = Tensor::full(*ctx, {3}, 2.5);
    const Readback travelling(*ctx, loss);
    loss.fill(*ctx, 7);
    REQUIRE(travelling.values<float>() == std::vector<float>{2.5f, 2.5f, 2.5f});
    REQUIRE(travelling.ready());
    REQUIRE_THROWS_AS(travelling.values<int32_t>(), Error);
    REQUIRE(Readback(*ctx, Tensor::empty(*ctx, {0})).values<float>().empty());
  }
}

TEST_CASE("pinned buffers and events move without being freed twice") {
  for (Context* ctx : devices()) {
    PinnedBuffer a(*ctx, 64), b(*ctx, 128);
    void* const from_b = b.data();
    a = std::move(b);
    REQUIRE(a.data() == from_b);
    REQUIRE(a.bytes() == 128);
    PinnedBuffer c(std::move(a));
    REQUIRE(c.data() == from_b);
    StreamEvent first(*ctx), second(std::move(first));
    second.record(*ctx);
    second.wait();
    REQUIRE(second.done());
  }
}

TEST_CASE("fill writes every element of every dtype") {
  for (Context* ctx : devices()) {
    REQUIRE(Tensor::full(*ctx, {3}, 1.5).to_vector<float>(*ctx) == std::vector<float>(3, 1.5f));
    REQUIRE(Tensor::full(*ctx, {1000}, -7, DType::int32).to_vector<int32_t>(*ctx) == std::vector<int32_t>(1000, -7));
    REQUIRE(Tensor::full(*ctx, {5}, 1e15, DType::int64).to_vector<int64_t>(*ctx) ==
            std::vector<int64_t>(5, 1000000000000000));
    REQUIRE(Tensor::full(*ctx, {5}, 200, DType::uint8).to_vector<uint8_t>(*ctx) == std::vector<uint8_t>(5, 200));
    for (BFloat16 x : Tensor::full(*ctx, {5}, 0.1, DType::bfloat16).to_vector<BFloat16>(*ctx)) {
      REQUIRE(float(x) == 0.10009765625f);  // 0.1 rounded to 8 bits: 205 / 2048
    }
    if (!ctx->device().is_cuda()) {
      REQUIRE(Tensor::full(*ctx, {2}, 0.1, DType::float64).to_vector<double>(*ctx) == std::vector<double>(2, 0.1));
    }
    REQUIRE(Tensor::full(*ctx, {0}, 3).elements() == 0);
  }
  std::vector<int32_t> crew(9, 0);
  crew::run(4, 8, FillElement<int32_t>{crew.data(), 5});
  REQUIRE(crew == std::vector<int32_t>{5, 5, 5, 5, 5, 5, 5, 5, 0});
}

TEST_CASE("memory is found again, and copies to the device make nobody wait") {
  for (Context* ctx : devices()) {
    const std::vector<float> values(5000, 1.f);
    { const Tensor warm = Tensor::from(*ctx, {5000}, values); }
    ctx->synchronize();
    const int64_t system = ctx->allocator()->figures().system_allocations, waits = device_calls::waits();
    for (int i = 0; i < 3; ++i) {
      const Tensor again = Tensor::from(*ctx, {5000}, values);
      const Tensor two = Tensor::full(*ctx, {10}, 2);
    }
    REQUIRE(device_calls::waits() == waits);
    REQUIRE(ctx->allocator()->figures().system_allocations <= system + 1);  // the small one, once
  }
}
