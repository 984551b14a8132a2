// The tape's promises: each node runs once, what was undefined is refused, and what ops refuse.
#include <catch2/catch.hpp>

#include "autograd/arithmetic.h"
#include "autograd/batch_norm.h"
#include "autograd/columns.h"
#include "autograd/fold.h"
#include "autograd/linear.h"
#include "autograd/max_pool.h"
#include "autograd/upsample.h"

using namespace tailseg;
using Catch::Contains;

namespace {

Variable leaf(Context& ctx, const Shape& shape, double value = 1) {
  return Variable(Tensor::full(ctx, shape, value), true);
}

}  // namespace

TEST_CASE("a part of the tape that has run cannot run again unnoticed") {
  Context ctx;
  const Variable a = leaf(ctx, {3}, 2), b = leaf(ctx, {3}, 5);
  const Variable shared = multiply(ctx, a, b);
  const Variable first = sum(ctx, shared), second = sum(ctx, scale(ctx, shared, 2));
  backward(ctx, first);
  REQUIRE(a.grad().to_vector<float>(ctx) == std::vector<float>(3, 5));
  // The second loss needs the nodes that the first has released: its gradient of a would be lost without a word.
  REQUIRE_THROWS_WITH(backward(ctx, second), Contains("multiply") && Contains("has run already"));
  REQUIRE_THROWS_WITH(backward(ctx, first), Contains("sum") && Contains("has run already"));
  REQUIRE_THROWS_WITH(backward(ctx, a), Contains("depends on no variable"));
  REQUIRE(a.grad().to_vector<float>(ctx) == std::vector<float>(3, 5));
}

TEST_CASE("an op on the tape refuses variables of another device, and a loss of another goes not back") {
  Context here, there(Device{DeviceKind::cpu, 1});  // two indices stand for two devices
  const Variable a = leaf(here, {1}), b = leaf(there, {1});
  const auto op = [&](Context& ctx, const Variable& x) {
    return record(ctx, "identity", a.value(), {a, x}, [](Context&, const Tensor&) {});
  };
  REQUIRE_NOTHROW(op(here, Variable()));  // an input that is not given
  REQUIRE_THROWS_WITH(op(here, b), Contains("identity: an input is on"));
  REQUIRE_THROWS_WITH(backward(there, op(here, a)), Contains("backward: the loss is on"));
  REQUIRE_THROWS_WITH(backward(here, op(here, a), b.value()), Contains("backward: the seed is on"));
}

TEST_CASE("two losses with nothing but leaves in common add their gradients") {
  Context ctx;
  const Variable a = leaf(ctx, {2}, 3);
  backward(ctx, sum(ctx, multiply(ctx, a, a)));
  backward(ctx, sum(ctx, scale(ctx, a, 10)));
  REQUIRE(a.grad().to_vector<float>(ctx) == std::vector<float>(2, 16));
  REQUIRE(live_nodes() == 0);
}

TEST_CASE("gradients that share memory are not written through") {
  Context ctx;
  const Variable a = leaf(ctx, {2}), b = leaf(ctx, {2}), c = leaf(ctx, {4});
  // add hands one tensor to both, concat_rows slices of one: each then gets a second gradient of its own.
  const Variable both = concat_rows(ctx, {add(ctx, a, b), scale(ctx, a, 3)});
  const Variable loss = add(ctx, sum(ctx, multiply(ctx, both, c)), sum(ctx, scale(ctx, b, 7)));
  backward(ctx, loss);
  REQUIRE(a.grad().to_vector<float>(ctx) == std::vector<float>(2, 4));
  REQUIRE(b.grad().to_vector<float>(ctx) == std::vector<float>(2, 8));
  REQUIRE(c.grad().to_vector<float>(ctx) == std::vector<float>{2, 2, 3, 3});
}

TEST_CASE("a seed and a loss that do not fit are refused") {
  Context ctx;
  const Variable a = leaf(ctx, {2, 2});
  REQUIRE_THROWS_WITH(backward(ctx, scale(ctx, a, 1)), Contains("[2, 2]") && Contains("seed"));
  REQUIRE_THROWS_WITH(backward(ctx, scale(ctx, a, 1), Tensor::zeros(ctx, {4})), Contains("[4]") && Contains("[2, 2]"));
  REQUIRE_THROWS_WITH(backward(ctx, Variable()), Contains("depends on no variable"));
}

TEST_CASE("an undefined variable is an error where its value is asked for") {
  Context ctx;
  const Variable none, x = leaf(ctx, {2, 3});
  REQUIRE_THROWS_WITH(none.value(), Contains("undefined"));
  REQUIRE_THROWS_WITH(none.grad(), Contains("undefined"));
  REQUIRE_THROWS_WITH(none.shape(), Contains("undefined"));
  REQUIRE_THROWS_AS(add(ctx, x, none), Error);
  REQUIRE_THROWS_AS(linear(ctx, x, none, none), Error);
  REQUIRE_THROWS_AS(concat_rows(ctx, {x, none}), Error);
}

TEST_CASE("rows to concatenate must be alike but for their number") {
  Context ctx;
  const Variable x = leaf(ctx, {2, 3});
  REQUIRE_THROWS_WITH(concat_rows(ctx, {x, leaf(ctx, {1, 4})}), Contains("concat_rows") && Contains("[1, 4]"));
  REQUIRE_THROWS_WITH(concat_rows(ctx, {x, leaf(ctx, {3})}), Contains("concat_rows") && Contains("[3]"));
  const Variable wide(Tensor::full(ctx, {1, 3}, 1, DType::float64));
  REQUIRE_THROWS_WITH(concat_rows(ctx, {x, wide}), Contains("float64"));
  REQUIRE(concat_rows(ctx, {leaf(ctx, {0, 3}), x}).shape() == Shape{2, 3});
  REQUIRE_THROWS_AS(slice_rows(ctx, x, 1, 3), Error);
}

TEST_CASE("pooling and upsampling without pixels is refused; without images it is nothing") {
  Context ctx;
  REQUIRE_THROWS_WITH(max_pool(ctx, leaf(ctx, {1, 0, 5, 2}), 3, 1, 2),
                      Contains("max_pool") && Contains("[1, 0, 5, 2]"));
  REQUIRE_THROWS_WITH(upsample_add(ctx, leaf(ctx, {1, 4, 4, 2}), leaf(ctx, {1, 0, 2, 2})),
                      Contains("upsample_add") && Contains("[1, 0, 2, 2]"));
  const Variable none = leaf(ctx, {0, 6, 6, 2});
  REQUIRE(max_pool(ctx, none, 3, 2, 1).shape() == Shape{0, 3, 3, 2});
  REQUIRE(upsample_add(ctx, none, leaf(ctx, {0, 3, 3, 2})).shape() == none.shape());
}

TEST_CASE("frozen norms and masked sums check every operand") {
  Context ctx;
  const Variable gamma = leaf(ctx, {4}), beta = leaf(ctx, {4});
  const Tensor four = Tensor::full(ctx, {4}, 1), three = Tensor::full(ctx, {3}, 1),
               w = Tensor::full(ctx, {4, 1, 1, 2}, 1);
  const auto fold = [&](const FrozenNorm& norm, DType dtype = DType::float32) {
    return fold_norm(ctx, w, norm, dtype, dtype);
  };
  const FrozenNorm norm{gamma, beta, four, four};
  REQUIRE_THROWS_WITH(fold({gamma, beta, three, four}), Contains("fold_norm: mean") && Contains("[3]"));
  REQUIRE_THROWS_WITH(fold({gamma, beta, four, three}), Contains("variance") && Contains("[3]"));
  REQUIRE_THROWS_WITH(fold({gamma, leaf(ctx, {3}), four, four}), Contains("beta") && Contains("[3]"));
  REQUIRE_THROWS_WITH(fold({leaf(ctx, {3}), beta, four, four}), Contains("gamma") && Contains("[3]"));
  REQUIRE_THROWS_WITH(fold(norm, DType::float64), Contains("float32") && Contains("float64"));
  const Tensor none = Tensor::empty(ctx, {0});
  const FrozenNorm of_none{leaf(ctx, {0}), leaf(ctx, {0}), none, none};
  REQUIRE(
      fold_norm(ctx, Tensor::empty(ctx, {0, 1, 1, 2}), of_none, DType::float32, DType::float32).filters.elements() ==
      0);
  REQUIRE_THROWS_WITH(fold_norm_backward(ctx, w, norm, four, four, w, Tensor()), Contains("folded"));
  REQUIRE_THROWS_WITH(fold_norm_backward(ctx, w, norm, w, four, four, Tensor()), Contains("of the filters"));
  REQUIRE_THROWS_WITH(fold_norm_backward(ctx, w, norm, w, four, Tensor(), three), Contains("[3]"));
  REQUIRE_THROWS_WITH(fold_norm_backward(ctx, w, norm, w, three, Tensor(), four), Contains("[3]"));
  const Tensor dy = Tensor::full(ctx, {2, 4}, 1);
  REQUIRE_THROWS_WITH(mask_and_sum(ctx, dy, Tensor::zeros(ctx, {2, 3}), true), Contains("[2, 3]"));
  REQUIRE_THROWS_WITH(mask_and_sum(ctx, dy, Tensor(), true, three), Contains("[3]"));
  const Variable x = leaf(ctx, {2, 4}), other = leaf(ctx, {2, 3});
  REQUIRE_THROWS_WITH(batch_norm(ctx, x, gamma, beta, four, four, 1e-5, 0.1, other), Contains("residual"));
}
