#include "autograd/upsample.h"

#include "autograd/upsample_body.h"
#include "tests/crew.h"
#include "tests/gradient_check.h"
#include "tests/typed_tensor.h"

using namespace tailseg;
namespace gc = gradient_check;

namespace {

struct Case {
  int64_t height, width, top_height, top_width;
};
const Case kCases[] = {{4, 6, 2, 3}, {5, 7, 3, 4}, {25, 13, 13, 7}, {3, 3, 1, 1}, {7, 5, 3, 2}, {4, 4, 4, 4}};

}  // namespace

TEST_CASE("upsample_add reads floor(i * source / destination) and adds") {
  Context ctx;
  for (const Case& g : kCases) {
    const std::vector<double> lateral = gc::values(2 * g.height * g.width * 3, 1),
                              top = gc::values(2 * g.top_height * g.top_width * 3, 2);
    const Variable y =
        upsample_add(ctx, Variable(typed_tensor(ctx, DType::float64, {2, g.height, g.width, 3}, lateral)),
                     Variable(typed_tensor(ctx, DType::float64, {2, g.top_height, g.top_width, 3}, top)));
    size_t at = 0;
    const std::vector<double> got = to_doubles(ctx, y.value());
    for (int64_t n = 0; n < 2; ++n)
      for (int64_t i = 0; i < g.height; ++i)
        for (int64_t j = 0; j < g.width; ++j)
          for (int64_t c = 0; c < 3; ++c, ++at) {
            const int64_t row = i * g.top_height / g.height, column = j * g.top_width / g.width;
            REQUIRE(got[at] == lateral[at] + top[size_t(((n * g.top_height + row) * g.top_width + column) * 3 + c)]);
          }
    gc::run(ctx, [](Context& c, const gc::Leaves& in) { return gc::probe(c, upsample_add(c, in[0], in[1])); },
            {gc::leaf(ctx, {1, g.height, g.width, 2}, 3), gc::leaf(ctx, {1, g.top_height, g.top_width, 2}, 4)},
            {.step = 1.0});
  }
}

TEST_CASE("upsample_add's bodies agree on one lane and on a crew, and the op refuses what does not fit") {
  const UpsampleSizes g{5, 7, 6, 3, 4};
  std::vector<float> lateral, top;
  for (double v : gc::values(2 * 5 * 7 * 6, 1)) lateral.push_back(float(v));
  for (double v : gc::values(2 * 3 * 4 * 6, 2)) top.push_back(float(v));
  std::vector<std::vector<float>> results;
  for (int lanes : {1, 4}) {
    std::vector<float> y(lateral.size(), NAN), dtop(top.size(), NAN);
    const UpsampleAddForward<float> forward{g, lateral.data(), top.data(), y.data()};
    const UpsampleBackward<float> backward_{g, lateral.data(), dtop.data()};
    if (lanes == 1) {
      for (int64_t i = 0; i < 70; ++i) forward(Solo{}, i);
      for (int64_t i = 0; i < 24; ++i) backward_(Solo{}, i);
    } else {
      crew::run(lanes, 70, forward);
      crew::run(lanes, 24, backward_);
    }
    results.push_back(y);
    results.push_back(dtop);
  }
  REQUIRE(results[0] == results[2]);
  REQUIRE(results[1] == results[3]);
  Context ctx;
  REQUIRE_THROWS_AS(upsample_add(ctx, gc::leaf(ctx, {1, 4, 4, 3}, 1), gc::leaf(ctx, {1, 2, 2, 2}, 2)), Error);
  REQUIRE_THROWS_AS(upsample_add(ctx, gc::leaf(ctx, {2, 4, 4, 3}, 1), gc::leaf(ctx, {1, 2, 2, 3}, 2)), Error);
}
