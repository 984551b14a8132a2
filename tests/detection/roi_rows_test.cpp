#include "detection/roi_rows.h"

#include <catch2/catch.hpp>

#include "detection/roi_rows_body.h"
#include "tests/crew.h"
#include "tests/devices.h"

using namespace tailseg;

TEST_CASE("rows are gathered, absent ones empty") {
  for (Context* ctx : devices()) {
    const Tensor x = Tensor::from(*ctx, {3, 2}, std::vector<float>{1, 2, 3, 4, 5, 6});
    const Tensor labels = Tensor::from(*ctx, {3}, std::vector<int32_t>{7, 8, 9});
    const Tensor index = Tensor::from(*ctx, {4}, std::vector<int32_t>{2, -1, 0, 2});
    REQUIRE(gather_rows(*ctx, x, index).to_vector<float>(*ctx) == std::vector<float>{5, 6, 0, 0, 1, 2, 5, 6});
    REQUIRE(gather_rows(*ctx, labels, index).to_vector<int32_t>(*ctx) == std::vector<int32_t>{9, -1, 7, 9});
    REQUIRE(gather_rows(*ctx, x, Tensor::empty(*ctx, {0}, DType::int32)).elements() == 0);
    const Tensor none = Tensor::empty(*ctx, {0, 2}), absent = Tensor::full(*ctx, {2}, -1, DType::int32);
    REQUIRE(gather_rows(*ctx, none, absent).to_vector<float>(*ctx) == std::vector<float>(4, 0));
  }
}

TEST_CASE("every used row knows its image, foreground rows their class") {
  for (Context* ctx : devices()) {
    const Tensor label = Tensor::from(*ctx, {2, 3}, std::vector<int32_t>{4, 80, -1, 0, -1, -1});
    REQUIRE(image_by_label(*ctx, label).to_vector<int32_t>(*ctx) == std::vector<int32_t>{0, 0, -1, 1, -1, -1});
    const Tensor count = Tensor::from(*ctx, {2}, std::vector<int32_t>{2, 0});
    REQUIRE(image_by_count(*ctx, count, 3).to_vector<int32_t>(*ctx) == std::vector<int32_t>{0, 0, -1, -1, -1, -1});
    const Tensor image = Tensor::from(*ctx, {4}, std::vector<int32_t>{0, 0, 2, -1});
    const Tensor matched = Tensor::from(*ctx, {4}, std::vector<int32_t>{5, -1, 3, 4});
    REQUIRE(object_of_row(*ctx, image, matched, 10).to_vector<int32_t>(*ctx) == std::vector<int32_t>{5, -1, 23, -1});
    REQUIRE(foreground_labels(*ctx, label, 80).to_vector<int32_t>(*ctx) == std::vector<int32_t>{4, -1, -1, 0, -1, -1});
  }
}

TEST_CASE("on the CPU a head sees exactly the rows it needs") {
  Context& ctx = cpu_context();
  const Tensor label = Tensor::from(ctx, {2, 3}, std::vector<int32_t>{4, 80, -1, 0, -1, 3});
  REQUIRE(rows_for_head(ctx, label, 81, 3).to_vector<int32_t>(ctx) == std::vector<int32_t>{0, 1, 3, 5});
  REQUIRE(rows_for_head(ctx, label, 80, 1).to_vector<int32_t>(ctx) == std::vector<int32_t>{0, 3, 5});
}

TEST_CASE("gathering on a crew") {
  const std::vector<float> x{1, 2, 3, 4, 5, 6, 7, 8, 9};
  const std::vector<int32_t> index{1, -1, 0};
  std::vector<float> out(9, -1);
  crew::run(4, 3, GatherRows<float>{x.data(), index.data(), out.data(), 3, 0.f});
  REQUIRE(out == std::vector<float>{4, 5, 6, 0, 0, 0, 1, 2, 3});
}
