// Sets of boxes of fixed capacity: who owns a row, what a trimmed set keeps, what is no set.
#include "detection/box_set.h"

#include <catch2/catch.hpp>

#include "detection/box_set_body.h"
#include "tests/crew.h"
#include "tests/devices.h"

using namespace tailseg;
using Catch::Contains;

namespace {

Tensor ints(Context& ctx, const Shape& shape, const std::vector<int32_t>& values) {
  return Tensor::from(ctx, shape, values);
}

BoxSet two_images(Context& ctx) {  // capacity 3, of which 1 and 2 are used
  std::vector<float> corners(24);
  for (size_t i = 0; i < corners.size(); ++i) corners[i] = static_cast<float>(i);
  return {Tensor::from(ctx, {2, 3, 4}, corners), Tensor::from(ctx, {2, 3}, std::vector<float>{.9f, 0, 0, .8f, .7f, 0}),
          ints(ctx, {2, 3}, {5, -1, -1, 6, 7, -1}), ints(ctx, {2}, {1, 2})};
}

}  // namespace

TEST_CASE("each row of the capacity belongs to its image, unused rows to none") {
  const std::vector<int32_t> expected{0, -1, -1, 1, 1, -1, 2, 2, 2, -1, -1, -1};
  for (Context* ctx : devices()) {
    const Tensor count = ints(*ctx, {4}, {1, 2, 5, 0});  // a count beyond the capacity fills it
    REQUIRE(row_images(*ctx, count, 3).to_vector<int32_t>(*ctx) == expected);
    REQUIRE(row_images(*ctx, count, 0).elements() == 0);
    REQUIRE(row_images(*ctx, Tensor::empty(*ctx, {0}, DType::int32), 3).elements() == 0);
  }
  const std::vector<int32_t> count{1, 2, 5, 0};
  std::vector<int32_t> crew(13, 77), wide(13, 77);
  crew::run(4, 12, RowImages{count.data(), crew.data(), 3});
  REQUIRE(std::vector<int32_t>(crew.begin(), crew.end() - 1) == expected);
  REQUIRE(crew.back() == 77);
  crew::Shared shared(1);  // and if a group were to run it: only one lane writes
  for (int64_t row = 0; row < 12; ++row) RowImages{count.data(), wide.data(), 3}(crew::Crew(&shared, 0), row);
  REQUIRE(wide == crew);
}

TEST_CASE("the first rows of each image, shared for one image and copied for more") {
  for (Context* ctx : devices()) {
    const BoxSet set = two_images(*ctx);
    REQUIRE(take_rows(*ctx, set.labels, 2).to_vector<int32_t>(*ctx) == std::vector<int32_t>{5, -1, 6, 7});
    REQUIRE(take_rows(*ctx, set.boxes, 1).to_vector<float>(*ctx) == std::vector<float>{0, 1, 2, 3, 12, 13, 14, 15});
    REQUIRE(take_rows(*ctx, set.boxes, 3).same_memory(set.boxes));
    REQUIRE(take_rows(*ctx, set.boxes, 0).shape() == Shape{2, 0, 4});
    const Tensor one = set.boxes.slice(1, 2);
    REQUIRE(take_rows(*ctx, one, 2).raw() == one.raw());
    REQUIRE_THROWS_WITH(take_rows(*ctx, set.boxes, 4), "take_rows: 4 rows of [2, 3, 4]");
  }
}

TEST_CASE("a trimmed set is as wide as its fullest image, and never of width 0") {
  Context& ctx = cpu_context();
  const BoxSet set = two_images(ctx), cut = trimmed(ctx, set);
  REQUIRE(largest_count(ctx, set.count) == 2);
  REQUIRE(cut.capacity() == 2);
  REQUIRE(cut.labels.to_vector<int32_t>(ctx) == std::vector<int32_t>{5, -1, 6, 7});
  REQUIRE(cut.scores.to_vector<float>(ctx) == std::vector<float>{.9f, 0, .8f, .7f});
  REQUIRE(cut.count.to_vector<int32_t>(ctx) == std::vector<int32_t>{1, 2});
  BoxSet empty = two_images(ctx);
  empty.count = ints(ctx, {2}, {0, 0});
  REQUIRE(trimmed(ctx, empty).capacity() == 1);
  REQUIRE(largest_count(ctx, Tensor::empty(ctx, {0}, DType::int32)) == 0);
}

TEST_CASE("what is no set is refused by name") {
  Context& ctx = cpu_context();
  BoxSet set = two_images(ctx);
  REQUIRE_NOTHROW(check_box_set("truth", set));
  set.count = ints(ctx, {3}, {1, 2, 3});
  REQUIRE_THROWS_WITH(check_box_set("truth", set), "truth: expected shape [2], got [3]");
  set = two_images(ctx);
  set.labels = Tensor::zeros(ctx, {2, 3});
  REQUIRE_THROWS_WITH(check_box_set("truth", set), Contains("truth: labels are int32, got float32"));
  set = two_images(ctx);
  set.boxes = Tensor::zeros(ctx, {2, 3, 4}, DType::bfloat16);
  REQUIRE_THROWS_WITH(check_box_set("truth", set), Contains("bfloat16"));
  set = two_images(ctx);
  set.scores = Tensor::zeros(ctx, {2, 3}, DType::float64);
  REQUIRE_THROWS_WITH(check_box_set("truth", set), Contains("scores are float32") && Contains("float64"));
  set = two_images(ctx);
  set.count = Tensor::zeros(ctx, {2}, DType::int64);
  REQUIRE_THROWS_WITH(check_box_set("truth", set), Contains("counts are int32, got int64"));
}
