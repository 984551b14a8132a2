// Shapes, views and what the smallest ops refuse.
#include "tensor/tensor.h"

#include <catch2/catch.hpp>

#include "tensor/elementwise.h"
#include "tests/devices.h"

using namespace tailseg;
using Catch::Contains;

TEST_CASE("a shape whose elements no integer can count is refused, one with an empty axis is empty") {
  const int64_t huge = int64_t{1} << 40;
  REQUIRE_THROWS_WITH(Shape({huge, huge}).elements(), Contains("[1099511627776, 1099511627776]"));
  REQUIRE_THROWS_AS(Shape({int64_t{1} << 60}).elements(), Error);  // bytes would not fit
  REQUIRE_THROWS_AS(Tensor::empty(cpu_context(), {huge, huge, huge}), Error);
  REQUIRE(Shape({huge, huge, 0}).elements() == 0);
  REQUIRE(Shape({0, huge, huge}).elements() == 0);
  REQUIRE(Shape({int64_t{1} << 59}).elements() == int64_t{1} << 59);
  REQUIRE(Shape{}.elements() == 1);
}

TEST_CASE("a tensor for which there is no memory is named by shape and dtype") {
  REQUIRE_THROWS_WITH(Tensor::empty(cpu_context(), {int64_t{1} << 30, int64_t{1} << 24}, DType::bfloat16),
                      Contains("out of memory on cpu") && Contains("in use") &&
                          Contains("for a tensor [1073741824, 16777216] bfloat16"));
}

TEST_CASE("axes count from both ends, and what is not there is named") {
  const Shape shape{2, 3, 4};
  REQUIRE(shape[-1] == 4);
  REQUIRE(shape[0] == 2);
  REQUIRE(shape.with(-2, 7) == Shape{2, 7, 4});
  REQUIRE_THROWS_WITH(shape[3], "axis 3 of shape [2, 3, 4]");
  REQUIRE_THROWS_WITH(shape[-4], "axis -4 of shape [2, 3, 4]");
  REQUIRE_THROWS_WITH((Shape{2, -1}), Contains("-1"));
  REQUIRE_THROWS_WITH((Shape{1, 1, 1, 1, 1, 1, 1}), Contains("6"));
}

TEST_CASE("views share memory: reshape keeps the elements, slice takes rows of the leading axis") {
  for (Context* ctx : devices()) {
    const Tensor x = Tensor::from(*ctx, {3, 2}, std::vector<int32_t>{1, 2, 3, 4, 5, 6});
    const Tensor middle = x.slice(1, 2);
    REQUIRE(middle.shape() == Shape{1, 2});
    middle.fill(*ctx, 9);
    REQUIRE(x.reshape({6}).to_vector<int32_t>(*ctx) == std::vector<int32_t>{1, 2, 9, 9, 5, 6});
    REQUIRE(x.slice(3, 3).elements() == 0);
    REQUIRE(x.clone(*ctx).same_memory(x) == false);
    REQUIRE_THROWS_WITH(x.slice(2, 4), "slice [2, 4) of [3, 2]");
    REQUIRE_THROWS_WITH(x.slice(2, 1), Contains("[2, 1)"));
    REQUIRE_THROWS_WITH(x.reshape({4}), Contains("[3, 2]") && Contains("[4]"));
    REQUIRE_THROWS_WITH(x.data<float>(), "tensor of int32 read as float32");
  }
}

TEST_CASE("copies name both sides when they do not fit") {
  Context& ctx = cpu_context();
  const Tensor x = Tensor::zeros(ctx, {2}), y = Tensor::zeros(ctx, {3}), z = Tensor::zeros(ctx, {2}, DType::int32);
  REQUIRE_THROWS_WITH(x.copy_from(ctx, y), Contains("[3] float32 on cpu") && Contains("[2] float32 on cpu"));
  REQUIRE_THROWS_WITH(x.copy_from(ctx, z), Contains("[2] int32 on cpu"));
  REQUIRE_THROWS_WITH(x.copy_from(ctx, Tensor()), Contains("undefined"));
  REQUIRE_THROWS_WITH(Tensor::from(ctx, {2, 2}, std::vector<float>(3)), Contains("3 values") && Contains("[2, 2]"));
}

TEST_CASE("check_shape says what it wanted and what came") {
  Context& ctx = cpu_context();
  REQUIRE_NOTHROW(check_shape("op: x", Tensor::zeros(ctx, {2, 5}), {2, -1}));
  REQUIRE_THROWS_WITH(check_shape("op: x", Tensor::zeros(ctx, {2, 5}), {-1, 4}),
                      "op: x: expected shape [any, 4], got [2, 5]");
  REQUIRE_THROWS_WITH(check_shape("op: x", Tensor::zeros(ctx, {2}), {2, 1}), Contains("[2, 1], got [2]"));
  REQUIRE_THROWS_WITH(check_shape("op: x", Tensor(), {1}), "op: x: the tensor is undefined");
}

TEST_CASE("element-wise ops refuse operands that are undefined or unlike") {
  Context& ctx = cpu_context();
  const Tensor x = Tensor::full(ctx, {2}, 3), wide = Tensor::full(ctx, {2}, 3, DType::float64);
  REQUIRE_THROWS_WITH(add(ctx, x, Tensor()), Contains("add") && Contains("undefined"));
  REQUIRE_THROWS_WITH(multiply(ctx, x, wide), Contains("float32") && Contains("float64"));
  REQUIRE_THROWS_WITH(add_in_place(ctx, x, Tensor::zeros(ctx, {3})), Contains("[2]") && Contains("[3]"));
  REQUIRE_THROWS_WITH(scale(ctx, Tensor(), 2), Contains("scale") && Contains("undefined"));
  REQUIRE_THROWS_WITH(cast(ctx, Tensor(), DType::float64), Contains("cast") && Contains("undefined"));
  REQUIRE_THROWS_WITH(sum_all(ctx, Tensor()), Contains("sum_all") && Contains("undefined"));
  REQUIRE_THROWS_WITH(cast(ctx, x, DType::int32), Contains("int32"));
  REQUIRE(sum_all(ctx, Tensor::zeros(ctx, {0, 4})).to_vector<float>(ctx) == std::vector<float>{0});
}

TEST_CASE("a whole tensor's sum does not depend on the number of threads") {
  std::vector<float> values(100'003);
  for (size_t i = 0; i < values.size(); ++i) values[i] = 1.0f / static_cast<float>(i + 1);
  std::vector<float> sums;
  for (int threads : {1, 2, 3, 8}) {
    Context ctx({}, {threads, MathMode::float32});
    sums.push_back(sum_all(ctx, Tensor::from(ctx, {100'003}, values)).to_vector<float>(ctx)[0]);
  }
  REQUIRE(sums == std::vector<float>(4, sums[0]));
  REQUIRE(sums[0] == Approx(12.090176).epsilon(1e-6));  // log n + 0.57721566 + 1 / 2n
}
