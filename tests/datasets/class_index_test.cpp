#include "datasets/samplers/class_index.h"

#include <catch2/catch.hpp>

#include "datasets/samplers/class_index_body.h"
#include "tensor/error.h"
#include "tensor/sort.h"
#include "tests/crew.h"
#include "tests/datasets/sampling_cases.h"
#include "tests/devices.h"

using namespace tailseg;

namespace {

struct Objects {
  std::vector<int32_t> photo, label;
};

Objects objects_of(const std::vector<std::vector<int>>& photos) {
  Objects out;
  for (size_t i = 0; i < photos.size(); ++i) {
    for (const int c : photos[i]) {
      out.photo.push_back(static_cast<int32_t>(i));
      out.label.push_back(c);
    }
  }
  return out;
}

ClassIndex index_of(Context& ctx, const Objects& objects, int64_t classes) {
  const auto count = static_cast<int64_t>(objects.photo.size());
  return class_index(ctx, Tensor::from(ctx, {count}, objects.photo), Tensor::from(ctx, {count}, objects.label),
                     classes);
}

void check_index(Context& ctx, const ClassIndex& index, const std::vector<std::vector<int>>& photos, int classes) {
  std::vector<std::set<int32_t>> shown(static_cast<size_t>(classes));
  std::vector<int32_t> objects(static_cast<size_t>(classes), 0);
  for (size_t i = 0; i < photos.size(); ++i) {
    for (const int c : photos[i]) {
      shown[static_cast<size_t>(c)].insert(static_cast<int32_t>(i));
      ++objects[static_cast<size_t>(c)];
    }
  }
  const auto begin = index.begin.to_vector<int32_t>(ctx), list = index.photos.to_vector<int32_t>(ctx);
  REQUIRE(index.objects.to_vector<int32_t>(ctx) == objects);
  REQUIRE(begin.size() == static_cast<size_t>(classes) + 1);
  REQUIRE(begin[0] == 0);
  for (size_t c = 0; c < shown.size(); ++c) {
    REQUIRE(std::vector<int32_t>(list.begin() + begin[c], list.begin() + begin[c + 1]) ==
            std::vector<int32_t>(shown[c].begin(), shown[c].end()));
  }
}

}  // namespace

TEST_CASE("the photos and objects of every class, whatever the photos in between show") {
  for (Context* ctx : devices()) {
    for (const auto& [count, classes] : std::vector<std::pair<int, int>>{{300, 12}, {40, 30}, {1, 1}, {7, 1}}) {
      const auto photos = random_photos(count, classes, 3);
      check_index(*ctx, index_of(*ctx, objects_of(photos), classes), photos, classes);
    }
    check_index(*ctx, index_of(*ctx, {}, 3), {{}, {}}, 3);                                              // no labels
    check_index(*ctx, index_of(*ctx, objects_of({{}, {2}, {2, 2}, {}}), 4), {{}, {2}, {2, 2}, {}}, 4);  // empty classes
  }
}

TEST_CASE("the table of classes does not depend on the number of threads") {
  const auto photos = random_photos(3000, 40, 5);
  Context one(Device{}, {.threads = 1}), four(Device{}, {.threads = 4});
  const ClassIndex a = index_of(one, objects_of(photos), 40), b = index_of(four, objects_of(photos), 40);
  const auto count = static_cast<std::ptrdiff_t>(a.begin.to_vector<int32_t>(one).back());
  const auto left = a.photos.to_vector<int32_t>(one), right = b.photos.to_vector<int32_t>(four);
  REQUIRE(std::vector<int32_t>(left.begin(), left.begin() + count) ==
          std::vector<int32_t>(right.begin(), right.begin() + count));
  REQUIRE(a.begin.to_vector<int32_t>(one) == b.begin.to_vector<int32_t>(four));
}

TEST_CASE("class index bodies give the same on a crew") {
  Context& ctx = cpu_context();
  const auto photos = random_photos(120, 9, 8);
  const Objects objects = objects_of(photos);
  const auto count = static_cast<int64_t>(objects.photo.size());
  std::vector<float> keys(static_cast<size_t>(count));
  crew::run(4, count, ClassKeys{objects.label.data(), keys.data()});
  const RankedRows ranked = sort_rows_descending(ctx, Tensor::from(ctx, {1, count}, keys));
  const std::vector<int32_t> sorted = ranked.indices.to_vector<int32_t>(ctx);
  std::vector<int32_t> first(static_cast<size_t>(count)), place(static_cast<size_t>(count) + 1, 0), list(first.size());
  crew::run(3, count, PairFlags{sorted.data(), objects.label.data(), objects.photo.data(), first.data()});
  for (size_t i = 0; i < first.size(); ++i) place[i + 1] = place[i] + first[i];
  crew::run(4, count, PairPhotos{sorted.data(), objects.photo.data(), place.data(), list.data()});
  std::vector<int32_t> begin(10), total(9);
  crew::run(4, 10,
            ClassBounds{sorted.data(), objects.label.data(), place.data(), begin.data(), total.data(), count, 9});
  check_index(ctx, {Tensor::from(ctx, {count}, list), Tensor::from(ctx, {10}, begin), Tensor::from(ctx, {9}, total)},
              photos, 9);
}

TEST_CASE("the table of classes refuses what does not fit together") {
  Context& ctx = cpu_context();
  const Tensor two = Tensor::zeros(ctx, {2}, DType::int32), three = Tensor::zeros(ctx, {3}, DType::int32);
  REQUIRE_THROWS_AS(class_index(ctx, two, three, 1), Error);
  REQUIRE_THROWS_AS(class_index(ctx, two, two, (int64_t{1} << 24) + 1), Error);
}
