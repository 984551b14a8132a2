// What is captured replays with new input, to the same bits as the work itself, on every device; and what must not be
// captured is refused.
#include "tensor/capture.h"

#include <catch2/catch.hpp>
#include <stdexcept>

#include "tensor/conv.h"
#include "tensor/device_calls.h"
#include "tensor/elementwise.h"
#include "tensor/matmul.h"
#include "tensor/sort.h"
#include "tensor/staging.h"
#include "tests/devices.h"

using namespace tailseg;

namespace {

std::vector<float> ramp(int64_t n, int64_t prime) {
  std::vector<float> out;
  for (int64_t i = 0; i < n; ++i) {
    out.push_back(static_cast<float>(i * 7919 % prime) / static_cast<float>(prime) - 0.5f);
  }
  return out;
}

struct Outcome {
  Tensor sums, offsets;
  std::pair<std::vector<float>, std::vector<int32_t>> read(Context& ctx) const {
    return {sums.to_vector<float>(ctx), offsets.to_vector<int32_t>(ctx)};
  }
};

// Work that asks for memory of many sizes and gives it back in between.
Outcome chain(Context& ctx, const Tensor& x, const Tensor& filters) {
  const Tensor bias = Tensor::from(ctx, {8}, ramp(8, 13));
  Tensor y = conv2d(ctx, x, filters, {.padding = 1}, {.bias = &bias, .relu = true});
  y = conv2d_backward_data(ctx, y, filters, x.shape(), {.padding = 1});
  const Tensor gradient = Tensor::empty(ctx, filters.shape());
  conv2d_backward_filter(ctx, x, y, {.padding = 1}, gradient);
  const Tensor rows = y.reshape({y.elements() / 64, 64});
  const Tensor square = matmul(ctx, rows, gradient.reshape({9, 64}), {.transpose_b = true});
  const RankedRows best = topk(ctx, square, 5);
  const Tensor sums = Tensor::full(ctx, best.values.shape(), 0.25);
  add_in_place(ctx, sums, best.values);
  return {sums, exclusive_scan(ctx, best.indices)};
}

}  // namespace

TEST_CASE("captured work replays with what its inputs then are") {
  for (Context* ctx : devices()) {
    INFO(ctx->device().name());
    const Tensor x = Tensor::from(*ctx, {2, 12, 16, 8}, ramp(3072, 8191));
    const Tensor filters = Tensor::from(*ctx, {8, 3, 3, 8}, ramp(576, 4093));
    const auto first = chain(*ctx, x, filters).read(*ctx);  // makes plans and scratch
    Capture capture(*ctx);
    Outcome out;
    const int64_t waits = device_calls::waits();
    capture.record([&] { out = chain(*ctx, x, filters); });
    CHECK(device_calls::waits() == waits);
    REQUIRE(capture.recorded());
    for (const int64_t prime : {7001, 6007, 8191}) {
      x.copy_from(*ctx, Tensor::from(*ctx, {2, 12, 16, 8}, ramp(3072, prime)));
      const auto expected = chain(*ctx, x, filters).read(*ctx);
      capture.replay();
      CHECK(out.read(*ctx) == expected);
      CHECK((expected == first) == (prime == 8191));
    }
  }
}

TEST_CASE("nothing runs while work is captured") {
  for (Context* ctx : devices()) {
    INFO(ctx->device().name());
    const Tensor x = Tensor::full(*ctx, {100}, 1.5), y = Tensor::zeros(*ctx, {100});
    add_in_place(*ctx, y, x);
    Capture capture(*ctx);
    capture.record([&] { add_in_place(*ctx, y, x); });
    CHECK(y.to_vector<float>(*ctx) == std::vector<float>(100, 1.5f));
    capture.replay();
    capture.replay();
    CHECK(y.to_vector<float>(*ctx) == std::vector<float>(100, 4.5f));
  }
}

TEST_CASE("what a replay writes to is nobody else's memory") {
  for (Context* ctx : devices()) {
    INFO(ctx->device().name());
    const Tensor x = Tensor::full(*ctx, {1000}, 1);
    Tensor out;
    Capture capture(*ctx);
    capture.record([&] {
      const Tensor scratch = Tensor::full(*ctx, {1000}, 2);  // given back before the replays
      add_in_place(*ctx, scratch, x);
      out = scratch.clone(*ctx);
    });
    std::vector<Tensor> others;
    for (int i = 0; i < 50; ++i) others.push_back(Tensor::full(*ctx, {1000}, 7));
    capture.replay();
    for (const Tensor& other : others) REQUIRE(other.to_vector<float>(*ctx) == std::vector<float>(1000, 7.f));
    CHECK(out.to_vector<float>(*ctx) == std::vector<float>(1000, 3.f));
    // A second capture may use the first one's scratch: they run one after the other. As in use, nothing is captured
    // that has not run before: a library may want to look around first.
    Capture second(*ctx);
    Tensor twice = matmul(*ctx, out.reshape({1, 1000}), x.reshape({1000, 1}));
    second.record([&] { twice = matmul(*ctx, out.reshape({1, 1000}), x.reshape({1000, 1})); });
    second.replay();
    capture.replay();
    second.replay();
    CHECK(twice.to_vector<float>(*ctx) == std::vector<float>{3000.f});
  }
}

TEST_CASE("the captures' memory goes back when the last of them ends") {
  for (Context* ctx : devices()) {
    INFO(ctx->device().name());
    ctx->allocator()->drop_cache();
    const MemoryFigures before = ctx->allocator()->figures();
    {
      Capture capture(*ctx);
      capture.record([&] { (void)Tensor::full(*ctx, {1 << 20}, 1); });
      capture.replay();
      CHECK(ctx->allocator()->figures().cached_bytes >= before.cached_bytes + (int64_t{4} << 20));
      CHECK(ctx->allocator()->figures().live_bytes == before.live_bytes);
    }
    CHECK(ctx->allocator()->figures().cached_bytes == before.cached_bytes);
  }
}

TEST_CASE("work that reads on the host, nests or throws is not captured, and the context goes on") {
  for (Context* ctx : devices()) {
    INFO(ctx->device().name());
    const Tensor x = Tensor::full(*ctx, {4}, 1);
    Capture capture(*ctx);
    CHECK_THROWS_WITH(capture.replay(), Catch::Contains("nothing written down"));
    const auto refused = Catch::Contains("inside work that is captured");
    CHECK_THROWS_WITH(capture.record([&] { (void)x.to_vector<float>(*ctx); }), refused);
    CHECK_THROWS_WITH(capture.record([&] { (void)Readback(*ctx, x); }), refused);
    CHECK_THROWS_WITH(capture.record([&] { Capture(*ctx).record([] {}); }), Catch::Contains("inside another"));
    CHECK_THROWS_AS(capture.record([] { throw std::runtime_error("mine"); }), std::runtime_error);
    CHECK_FALSE(capture.recorded());
    add_in_place(*ctx, x, x);
    CHECK(x.to_vector<float>(*ctx) == std::vector<float>(4, 2.f));
    capture.record([&] { add_in_place(*ctx, x, x); });
    capture.replay();
    CHECK(x.to_vector<float>(*ctx) == std::vector<float>(4, 4.f));
  }
}
