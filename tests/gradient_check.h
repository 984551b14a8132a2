// Compares the gradients of a function with central differences, in float64:
//   df/dx ~ (8 (f(x + h) - f(x - h)) - (f(x + 2h) - f(x - 2h))) / 12h      (error of order h^4)
// and, beside the numbers, that every closure keeps the tape's promises: gradients add to what is there, go to their
// home when there is one, come out the same when only one input asks for one, and leave no node behind. Fresh memory
// is NaN (tests/test_main.cpp), so an element that nobody writes cannot pass.
//
//   gradient_check::run([](Context& ctx, const auto& in) { return gradient_check::probe(ctx, relu(ctx, in[0])); },
//                       {gradient_check::leaf(ctx, {3, 4}, 1)});
#pragma once

#include <catch2/catch.hpp>
#include <cmath>
#include <functional>
#include <vector>

#include "autograd/arithmetic.h"
#include "tensor/allocator.h"

namespace tailseg::gradient_check {

using Leaves = std::vector<Variable>;
using Function = std::function<Variable(Context& ctx, const Leaves& inputs)>;  // -> [1]

struct Options {
  double step = 1e-4;       // times max(1, |x|)
  double tolerance = 1e-7;  // of the largest gradient of the same input
  // True where the function is declared to have a kink within 2 steps of this input's element: not compared.
  std::function<bool(size_t input, int64_t element)> kink = [](size_t, int64_t) { return false; };
};

// Numbers in [low, high) that look random and depend on nothing but seed and index.
inline std::vector<double> values(int64_t count, uint64_t seed, double low = -1, double high = 1) {
  std::vector<double> out(static_cast<size_t>(count));
  uint64_t state = seed * 0x9E3779B97F4A7C15u + 1;
  for (double& x : out) {  // splitmix64
    uint64_t z = (state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    x = low + (high - low) * static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1.0p-53;
  }
  return out;
}

inline Variable leaf(Context& ctx, const Shape& shape, uint64_t seed, double low = -1, double high = 1) {
  return Variable(Tensor::from(ctx, shape, values(shape.elements(), seed, low, high)), true);
}

// Any result as one number in which every element counts differently.
inline Variable probe(Context& ctx, const Variable& y, uint64_t seed = 99) {
  const Variable weights(Tensor::from(ctx, y.shape(), values(y.shape().elements(), seed, 0.5, 1.5)));
  return sum(ctx, multiply(ctx, y, weights));
}

inline double evaluate(Context& ctx, const Function& f, const Leaves& inputs) {
  const NoGrad quiet(ctx);
  return f(ctx, inputs).value().to_vector<double>(ctx).at(0);
}

// Clears every gradient, runs f forward and backward, returns the gradients (empty where undefined).
inline std::vector<std::vector<double>> gradients(Context& ctx, const Function& f, const Leaves& inputs) {
  for (const Variable& x : inputs) x.clear_grad();
  backward(ctx, f(ctx, inputs));
  std::vector<std::vector<double>> out;
  for (const Variable& x : inputs) {
    out.push_back(x.grad().defined() ? x.grad().to_vector<double>(ctx) : std::vector<double>());
  }
  return out;
}

inline double difference(Context& ctx, const Function& f, const Leaves& inputs, double& x, double step) {
  const double at = x, h = step * std::max(1.0, std::abs(at));
  auto value = [&](double shift) {
    x = at + shift;
    return evaluate(ctx, f, inputs);
  };
  const double slope = (8 * (value(h) - value(-h)) - (value(2 * h) - value(-2 * h))) / (12 * h);
  x = at;
  return slope;
}

inline void compare_with_differences(Context& ctx, const Function& f, const Leaves& inputs,
                                     const std::vector<std::vector<double>>& analytic, const Options& options) {
  const double noise = 1e-14 * (1 + std::abs(evaluate(ctx, f, inputs))) / options.step;
  for (size_t input = 0; input < inputs.size(); ++input) {
    const int64_t count = inputs[input].value().elements();
    REQUIRE(analytic[input].size() == static_cast<size_t>(count));
    double largest = 0;
    for (double g : analytic[input]) largest = std::max(largest, std::abs(g));
    int64_t skipped = 0;
    for (int64_t i = 0; i < count; ++i) {
      if (options.kink(input, i)) {
        ++skipped;
        continue;
      }
      double* x = inputs[input].value().data<double>() + i;
      const double numeric = difference(ctx, f, inputs, *x, options.step);
      const double got = analytic[input][static_cast<size_t>(i)];
      INFO("input " << input << ", element " << i << ": gradient " << got << ", by differences " << numeric);
      REQUIRE(std::abs(got - numeric) <= options.tolerance * std::max(largest, std::abs(numeric)) + noise);
    }
    INFO("input " << input << ": " << skipped << " of " << count << " elements declared as kinks");
    REQUIRE((skipped < count || count == 0));
  }
}

// Gradients that were there before are added to, and land in their home.
inline void check_accumulation(Context& ctx, const Function& f, const Leaves& inputs,
                               const std::vector<std::vector<double>>& analytic) {
  for (const Variable& x : inputs) {
    x.clear_grad();
    x.accumulate(ctx, Tensor::full(ctx, x.shape(), 3.0, DType::float64));
  }
  backward(ctx, f(ctx, inputs));
  for (size_t input = 0; input < inputs.size(); ++input) {
    const std::vector<double> sum = inputs[input].grad().to_vector<double>(ctx);
    for (size_t i = 0; i < sum.size(); ++i) REQUIRE(sum[i] == Approx(analytic[input][i] + 3.0).epsilon(1e-12));
  }
  for (const Variable& x : inputs) x.set_grad_home(Tensor::empty(ctx, x.shape(), DType::float64));
  REQUIRE(gradients(ctx, f, inputs) == analytic);
  for (const Variable& x : inputs) {
    const Tensor home = x.grad();
    x.clear_grad();
    REQUIRE(x.grad_destination(ctx).same_memory(home));
    x.set_grad_home({});
  }
}

inline void check_each_alone(Context& ctx, const Function& f, const Leaves& inputs,
                             const std::vector<std::vector<double>>& analytic) {
  for (size_t alone = 0; alone < inputs.size(); ++alone) {
    for (size_t i = 0; i < inputs.size(); ++i) inputs[i].set_requires_grad(i == alone);
    const std::vector<std::vector<double>> mine = gradients(ctx, f, inputs);
    for (size_t i = 0; i < inputs.size(); ++i) REQUIRE(mine[i] == (i == alone ? analytic[i] : std::vector<double>()));
  }
  for (const Variable& x : inputs) x.set_requires_grad(true);
}

// Checks f at `inputs`: float64 leaves, each requiring a gradient, each used by f.
inline void run(Context& ctx, const Function& f, const Leaves& inputs, const Options& options = {}) {
  REQUIRE(debug_memory());  // fresh memory is NaN: see tests/test_main.cpp
  const int64_t nodes_before = live_nodes();
  const std::vector<std::vector<double>> analytic = gradients(ctx, f, inputs);
  REQUIRE(live_nodes() == nodes_before);
  compare_with_differences(ctx, f, inputs, analytic, options);
  check_accumulation(ctx, f, inputs, analytic);
  check_each_alone(ctx, f, inputs, analytic);
  REQUIRE(live_nodes() == nodes_before);
  for (const Variable& x : inputs) x.clear_grad();
}

}  // namespace tailseg::gradient_check
