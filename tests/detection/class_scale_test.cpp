// One factor a column: values by hand, gradients by differences, a crew.
#include "detection/calibration/class_scale.h"

#include "detection/calibration/class_scale_body.h"
#include "tests/crew.h"
#include "tests/gradient_check.h"
#include "tests/run_both.h"
#include "tests/typed_tensor.h"

using namespace tailseg;
namespace gc = gradient_check;

TEST_CASE("logits are scaled column by column, on every device and in every type") {
  for_each_device_and_type([](Context& ctx, DType dtype) {
    const Variable z(typed_tensor(ctx, dtype, {2, 3}, {1, -2, 3, 0, 4, -0.5}));
    const Variable s(typed_tensor(ctx, dtype, {3}, {2, 0.5, -1}));
    CHECK(to_doubles(ctx, scale_classes(ctx, z, s).value()) == std::vector<double>{2, -1, -3, 0, 2, 0.5});
    CHECK_THROWS_AS(scale_classes(ctx, z, Variable(typed_tensor(ctx, dtype, {2}, {1, 1}))), Error);
  });
}

TEST_CASE("gradients of logits and scales") {
  Context& ctx = cpu_context();
  gc::run(ctx, [](Context& c, const gc::Leaves& in) { return gc::probe(c, scale_classes(c, in[0], in[1])); },
          {gc::leaf(ctx, {5, 7}, 1), gc::leaf(ctx, {7}, 2)});
}

TEST_CASE("scaling on a crew is that of one lane") {
  const int64_t rows = 4, width = 37;
  const std::vector<float> x = wave<float>(rows * width), s = wave<float>(width, 2);
  std::vector<float> one(x.size(), -9), many(x.size(), -9);
  run_solo(rows, ScaleClasses<float>{x.data(), s.data(), one.data(), width});
  crew::run(5, rows, ScaleClasses<float>{x.data(), s.data(), many.data(), width});
  CHECK(one == many);
  CHECK(one[38] == x[38] * s[1]);
}
