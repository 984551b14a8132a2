// Which filters serve which class, and the two heads that are built over it.
#include "detection/filter_map.h"

#include <catch2/catch.hpp>

#include "detection/box_head.h"
#include "detection/mask_head.h"
#include "tests/devices.h"
#include "tests/gradient_check.h"

using namespace tailseg;
namespace gc = gradient_check;

namespace {

ClassStatistics statistics() { return {{5, 200, 11, 10, 1000, 0}, {50, 10, 11, 10, 3000, 0}, 1200}; }

}  // namespace

TEST_CASE("filters by hand: class-wise, class-agnostic, the tail together") {
  const FilterMap wise = make_filter_map("x", 6, {}, {}), agnostic = make_filter_map("x", 6, {.all = true}, {});
  REQUIRE((wise.filters == 6 && wise.of_class.empty()));
  REQUIRE((agnostic.filters == 1 && agnostic.of_class.empty()));
  // Rare in LVIS's sense: at most 10 images.
  const FilterMap rare = make_filter_map("x", 6, {.below = 11}, statistics());
  REQUIRE(rare.filters == 4);
  REQUIRE(rare.of_class == std::vector<int32_t>{3, 0, 1, 3, 2, 3});
  const FilterMap instances = make_filter_map("x", 6, {.below = 11, .count_instances = true}, statistics());
  REQUIRE(instances.of_class == std::vector<int32_t>{0, 3, 1, 3, 2, 3});
  const FilterMap all = make_filter_map("x", 6, {.below = 100000}, statistics());
  REQUIRE(all.filters == 1);
  REQUIRE(all.of_class == std::vector<int32_t>(6, 0));
  const FilterMap none = make_filter_map("x", 2, {.below = 1}, {{3, 4}, {3, 4}, 5});
  REQUIRE(none.filters == 2);
  REQUIRE(none.of_class == std::vector<int32_t>{0, 1});
  REQUIRE_FALSE(wise.on_device(cpu_context()).defined());
  REQUIRE(rare.on_device(cpu_context()).to_vector<int32_t>(cpu_context()) == rare.of_class);
}

TEST_CASE("a tail cannot be told from counts that are missing, nor where all classes share already") {
  REQUIRE_THROWS_WITH(make_filter_map("box deltas", 6, {.below = 11}, {}),
                      Catch::Contains("box deltas") && Catch::Contains("6") && Catch::Contains("training set"));
  ClassStatistics other = statistics();
  other.images.pop_back();
  REQUIRE_THROWS_WITH(make_filter_map("masks", 6, {.below = 11}, other), Catch::Contains("5 classes"));
  REQUIRE_THROWS_WITH(make_filter_map("masks", 6, {.all = true, .below = 11}, statistics()),
                      Catch::Contains("class-agnostic"));
}

TEST_CASE("a box head whose tail shares: fewer rows, and each label gets its own set's offsets") {
  for (Context* ctx : devices()) {
    ParameterStore store(*ctx, 3);
    BoxHeadOptions options;
    options.classes = 6;
    options.pooled = 1;
    options.width = 8;
    options.agnostic_below = 11;
    options.statistics = statistics();
    const BoxHead head(Scope(store, "roi_heads"), 4, options);
    REQUIRE(store.find("roi_heads.box_predictor.bbox_pred.weight")->variable.shape() == Shape{16, 8});
    const std::vector<double> wide = gc::values(7 * 8, 4);
    const Variable x(Tensor::from(*ctx, {7, 8}, std::vector<float>(wide.begin(), wide.end())));
    const std::vector<int32_t> labels{0, 1, 2, 5, 6, -1, 4};  // 6 is the background
    const std::vector<float> all = head.all_deltas(*ctx, x).value().to_vector<float>(*ctx);
    const std::vector<float> own = head.deltas(*ctx, x, Tensor::from(*ctx, {7}, labels)).value().to_vector<float>(*ctx);
    const std::vector<int> set{3, 0, 1, 3, -1, -1, 2};
    for (size_t r = 0; r < 7; ++r) {
      for (size_t j = 0; j < 4; ++j) {
        const double expected = set[r] < 0 ? 0 : double(all[r * 16 + size_t(set[r]) * 4 + j]);
        REQUIRE(own[r * 4 + j] == Approx(expected).margin(1e-7));
        REQUIRE((set[r] < 0 || own[r * 4 + j] != 0));
      }
    }
  }
}

TEST_CASE("a mask head whose tail shares: two tail classes see the same mask, two others do not") {
  for (Context* ctx : devices()) {
    ParameterStore store(*ctx, 3);
    MaskHeadOptions options;
    options.classes = 6;
    options.width = 8;
    options.convolutions = 0;
    options.agnostic_below = 11;
    options.statistics = statistics();
    const MaskHead head(Scope(store, "roi_heads"), 4, options);
    REQUIRE(store.find("roi_heads.mask_predictor.mask_fcn_logits.weight")->variable.size(0) == 4);
    std::vector<float> one(2 * 2 * 4, 0.5f), five;
    for (int i = 0; i < 5; ++i) five.insert(five.end(), one.begin(), one.end());
    const Variable x = head.features(*ctx, Variable(Tensor::from(*ctx, {5, 2, 2, 4}, five)));
    const Tensor labels = Tensor::from(*ctx, {5}, std::vector<int32_t>{0, 5, 1, 2, -1});
    const std::vector<float> y = head.logits(*ctx, x, labels).value().to_vector<float>(*ctx);
    const auto mask = [&](int64_t r) { return std::vector<float>(y.begin() + r * 16, y.begin() + (r + 1) * 16); };
    REQUIRE(mask(0) == mask(1));
    REQUIRE(mask(0) != mask(2));
    REQUIRE(mask(2) != mask(3));
    REQUIRE(mask(4) == std::vector<float>(16, 0));
  }
}
