// Every sampler of the list, by its name: what an epoch shows and what is expected of it.
#include "datasets/samplers/photo_sampler.h"

#include <catch2/catch.hpp>

#include "tensor/error.h"
#include "tests/datasets/sampling_cases.h"

using namespace tailseg;
using Catch::Matchers::Contains;

namespace {

// Batches of one photo without groups: an epoch shows exactly what the sampler draws.
PhotoSamplerOptions plain() {
  PhotoSamplerOptions options;
  options.batch_size = 1;
  options.aspect_grouping = false;
  options.seed = 21;
  options.repeat.threshold = 0.3;
  options.epoch_batches = 60;
  return options;
}

// Repeat factors photo by photo, from the definition: sets of classes, no table, no kernel. `crowds`: photos whose
// objects do not count; `small`: photos that are never drawn.
std::vector<double> slow_factors(const std::vector<std::vector<int>>& photos, const std::set<int>& crowds,
                                 const std::set<int>& small, const PhotoSamplerOptions& options) {
  constexpr int kEmptyClass = 1000;
  std::vector<std::vector<int>> shown = photos;
  for (const int i : crowds) shown[static_cast<size_t>(i)].clear();
  double drawn = 0, objects = 0;
  std::map<int, double> photos_with, objects_of;
  const auto never = [&](size_t i) {
    return small.count(static_cast<int>(i)) > 0 || (shown[i].empty() && options.empty == EmptyPhotos::drop);
  };
  for (size_t i = 0; i < shown.size(); ++i) {
    if (never(i)) continue;
    std::vector<int>& classes = shown[i];
    if (classes.empty() && options.empty == EmptyPhotos::as_class) classes.push_back(kEmptyClass);
    drawn += 1;
    for (const int c : std::set<int>(classes.begin(), classes.end())) photos_with[c] += 1;
    for (const int c : classes) objects_of[c] += 1;
    objects += static_cast<double>(classes.size());
  }
  std::vector<double> factors;
  for (size_t i = 0; i < shown.size(); ++i) {
    double r = never(i) ? 0 : 1;
    for (const int c : never(i) ? std::vector<int>{} : shown[i]) {
      const bool by_photos = options.repeat.frequency == RepeatFrequency::image;
      const double f = by_photos ? photos_with[c] / drawn : objects_of[c] / objects;
      r = std::max(r, std::pow(options.repeat.threshold / f, options.repeat.exponent));
    }
    factors.push_back(r);
  }
  return factors;
}

}  // namespace

TEST_CASE("repeat factors of a set with empty and small photos and crowds are the definition's, photo by photo") {
  const auto photos = random_photos(150, 9, 6);
  const std::set<int> crowds = {0, 4, 5, 77};
  std::set<int> small = {9, 10};
  for (int i = 0; i < 150 && small.size() < 5; ++i) {
    if (photos[static_cast<size_t>(i)].empty()) small.insert(i);
  }
  AnnotationSet set = sampling_case(photos, 9, crowds);
  for (const int i : small) set.images.width[static_cast<size_t>(i)] = 31;
  PhotoSamplerOptions options = plain();
  for (const EmptyPhotos empty : {EmptyPhotos::drop, EmptyPhotos::keep, EmptyPhotos::as_class}) {
    for (const RepeatFrequency frequency : {RepeatFrequency::image, RepeatFrequency::instance}) {
      for (const double exponent : {0.5, 0.8}) {
        options.empty = empty;
        options.repeat.frequency = frequency;
        options.repeat.exponent = exponent;
        const std::vector<double> slow = slow_factors(photos, crowds, small, options);
        options.repeat.rounding = RepeatRounding::stochastic;
        const PhotoSampler stochastic = make_photo_sampler("repeat_factor", set, options);
        options.repeat.rounding = RepeatRounding::ceil;
        const PhotoSampler whole = make_photo_sampler("repeat_factor", set, options);
        REQUIRE(std::count_if(slow.begin(), slow.end(), [](double r) { return r > 1; }) > 5);
        for (int64_t epoch = 0; epoch < 3; ++epoch) {
          const auto some = times_shown(stochastic.order(epoch).images, photos.size());
          const auto all = times_shown(whole.order(epoch).images, photos.size());
          for (size_t i = 0; i < photos.size(); ++i) {
            REQUIRE(stochastic.expected[i] == Approx(slow[i]).epsilon(1e-14));
            REQUIRE(whole.expected[i] == std::ceil(slow[i]));
            REQUIRE(all[i] == std::ceil(slow[i]));
            REQUIRE((some[i] == std::floor(slow[i]) || some[i] == std::ceil(slow[i])));
          }
        }
      }
    }
  }
}

TEST_CASE("photos without labels do not shift the repeat factors (mmdetection issue 10038)") {
  // The rare class is in photo 5 only; empty photos stand before, beside and behind it.
  std::vector<std::vector<int>> photos(40, {0});
  for (const size_t i : {0u, 1u, 2u, 4u, 6u, 39u}) photos[i].clear();
  photos[5] = {0, 1};
  const AnnotationSet set = sampling_case(photos, 2);
  PhotoSamplerOptions options = plain();
  options.repeat = {0.1, 0.5, RepeatFrequency::image, RepeatRounding::ceil};
  for (const EmptyPhotos empty : {EmptyPhotos::drop, EmptyPhotos::keep, EmptyPhotos::as_class}) {
    options.empty = empty;
    const PhotoSampler sampler = make_photo_sampler("repeat_factor", set, options);
    CHECK(sampler.drawable == (empty == EmptyPhotos::drop ? 34 : 40));
    const auto times = times_shown(sampler.order(1).images, 40);
    for (size_t i = 0; i < 40; ++i) {
      CAPTURE(i);
      // f = 1/34 or 1/40, t = 0.1: r = 1.84 or 2, ceil 2 both; empty ones: f = 6/40 is above t.
      REQUIRE(times[i] == (i == 5 ? 2 : photos[i].empty() && empty == EmptyPhotos::drop ? 0 : 1));
    }
  }
  // Scarce empty photos are a rare class of their own only when told so.
  photos.assign(40, {0});
  photos[7].clear();
  const AnnotationSet scarce = sampling_case(photos, 1);
  options.repeat.threshold = 0.225;  // (0.225 / (1/40))^0.5 = 3
  for (const auto& [empty, copies] : std::vector<std::pair<EmptyPhotos, int64_t>>{
           {EmptyPhotos::drop, 0}, {EmptyPhotos::keep, 1}, {EmptyPhotos::as_class, 3}}) {
    options.empty = empty;
    const auto times = times_shown(make_photo_sampler("repeat_factor", scarce, options).order(0).images, 40);
    CHECK(times[7] == copies);
    CHECK(times[8] == 1);
  }
}

TEST_CASE("t = 0 is random sampling, order and all") {
  const AnnotationSet set = sampling_case(random_photos(60, 5, 2), 5);
  PhotoSamplerOptions options = plain();
  options.batch_size = 8;
  options.repeat.threshold = 0;
  for (const bool grouped : {false, true}) {
    options.aspect_grouping = grouped;
    for (const RepeatRounding rounding : {RepeatRounding::ceil, RepeatRounding::stochastic}) {
      options.repeat.rounding = rounding;
      CHECK(make_photo_sampler("repeat_factor", set, options).order(4).images ==
            make_photo_sampler("random", set, options).order(4).images);
    }
  }
}

TEST_CASE("copies are grouped by aspect like photos") {
  const AnnotationSet set = sampling_case(random_photos(90, 9, 4), 9);
  PhotoSamplerOptions options = plain();
  options.batch_size = 4;
  options.aspect_grouping = true;
  for (int64_t epoch = 0; epoch < 5; ++epoch) {
    const Epoch shown = make_photo_sampler("repeat_factor", set, options).order(epoch);
    REQUIRE(shown.images.size() % 4 == 0);
    for (size_t i = 0; i < shown.images.size(); ++i) {
      REQUIRE((shown.images[i] % 3 == 2) == (shown.images[i / 4 * 4] % 3 == 2));  // every third photo is tall
    }
  }
}

TEST_CASE("every sampler: a pure function of seed and epoch, whole batches, only photos that may be drawn") {
  const auto photos = random_photos(80, 7, 9);
  const AnnotationSet set = sampling_case(photos, 8);  // the last class has no photo
  for (const PhotoSamplerRow& row : photo_samplers()) {
    CAPTURE(row.name);
    PhotoSamplerOptions options = plain();
    options.batch_size = 6;
    options.per_class = 2;
    const PhotoSampler sampler = make_photo_sampler(row.name, set, options);
    const Epoch third = sampler.order(3);
    sampler.order(0);
    CHECK(sampler.order(3).images == third.images);
    CHECK(sampler.order(4).images != third.images);
    CHECK(make_photo_sampler(row.name, set, options).order(3).images == third.images);
    options.seed += 1;
    CHECK(make_photo_sampler(row.name, set, options).order(3).images != third.images);
    CHECK(third.images.size() % 6 == 0);
    CHECK(third.labels.size() == (row.draws_classes ? third.images.size() : 0));
    for (size_t i = 0; i < third.images.size(); ++i) {
      const auto& shown = photos[static_cast<size_t>(third.images[i])];
      REQUIRE_FALSE(shown.empty());
      if (row.draws_classes) REQUIRE(std::count(shown.begin(), shown.end(), third.labels[i]) > 0);
    }
  }
}

TEST_CASE("every sampler: the mean number of draws is the expected one") {
  const auto photos = random_photos(60, 6, 12);
  const AnnotationSet set = sampling_case(photos, 6);
  for (const PhotoSamplerRow& row : photo_samplers()) {
    CAPTURE(row.name);
    for (const double power : {0.0, 0.7}) {
      PhotoSamplerOptions options = plain();
      options.class_power = power;
      options.class_cap = 10;
      const PhotoSampler sampler = make_photo_sampler(row.name, set, options);
      constexpr int kEpochs = 400;
      std::vector<double> mean(photos.size(), 0);
      for (int64_t epoch = 0; epoch < kEpochs; ++epoch) {
        for (const int32_t i : sampler.order(epoch).images) mean[static_cast<size_t>(i)] += 1.0 / kEpochs;
      }
      for (size_t i = 0; i < photos.size(); ++i) {
        REQUIRE(std::abs(mean[i] - sampler.expected[i]) <= 5 * std::sqrt(sampler.expected[i] / kEpochs));
      }
    }
  }
}

TEST_CASE("epochs of the samplers that draw classes have the published lengths and go on where the last one ended") {
  std::vector<std::vector<int>> photos(30, {0});
  photos[3] = {1, 0};
  photos[4] = {1, 3};
  const AnnotationSet set = sampling_case(photos, 4);  // class 2 has no photo
  PhotoSamplerOptions options = plain();
  options.batch_size = 4;
  options.epoch_batches = 0;
  options.per_class = 4;
  const PhotoSampler balanced = make_photo_sampler("class_balanced", set, options);
  const Epoch first = balanced.order(0), second = balanced.order(1);
  CHECK(first.images.size() == 88);  // max n_c x classes with photos = 29 x 3 = 87, whole batches of 4
  std::vector<int32_t> of_class_0;
  for (const Epoch* epoch : {&first, &second}) {
    for (size_t i = 0; i < epoch->images.size(); ++i) {
      if (epoch->labels[i] == 0) of_class_0.push_back(epoch->images[i]);
    }
  }
  REQUIRE(of_class_0.size() > 29);
  CHECK(std::set<int32_t>(of_class_0.begin(), of_class_0.begin() + 29).size() == 29);  // one pass, over two epochs
  CHECK(make_photo_sampler("bilevel", set, options).order(0).images.size() == 4000);
  options.epoch_batches = 7;
  for (const char* name : {"class_balanced", "bilevel"}) {
    CHECK(make_photo_sampler(name, set, options).order(2).images.size() == 28);
  }
}

TEST_CASE("one class, and one photo, are enough") {
  const AnnotationSet set = sampling_case({{}, {0, 0}, {}}, 1);
  for (const PhotoSamplerRow& row : photo_samplers()) {
    PhotoSamplerOptions options = plain();
    options.batch_size = 3;
    const Epoch shown = make_photo_sampler(row.name, set, options).order(0);
    CHECK(shown.images == std::vector<int32_t>(shown.images.size(), 1));
    CHECK_FALSE(shown.images.empty());
  }
}

TEST_CASE("a set without labels and senseless options are one clear error") {
  const AnnotationSet bare = sampling_case({{}, {}, {}}, 2), crowd = sampling_case({{0}, {1}}, 2, {0, 1});
  PhotoSamplerOptions options = plain();
  for (const PhotoSamplerRow& row : photo_samplers()) {
    CAPTURE(row.name);
    for (const AnnotationSet* set : {&bare, &crowd}) {
      options.empty = EmptyPhotos::drop;
      CHECK_THROWS_WITH(make_photo_sampler(row.name, *set, options),
                        Contains("case.json") && Contains(row.name) && Contains("no photo to draw"));
      options.empty = EmptyPhotos::keep;
      if (row.name == std::string("random")) {
        CHECK(make_photo_sampler(row.name, *set, options).order(0).images.size() == set->images.id.size());
      } else {
        CHECK_THROWS_WITH(make_photo_sampler(row.name, *set, options), Contains(row.name));
      }
    }
  }
  options = plain();
  const AnnotationSet set = sampling_case({{0}, {1}}, 2);
  CHECK_THROWS_WITH(make_photo_sampler("bi_level", set, options),
                    Contains("random, repeat_factor, class_balanced, bilevel"));
  options.repeat.threshold = 2;
  CHECK_THROWS_WITH(make_photo_sampler("repeat_factor", set, options), Contains("threshold 2"));
  options = plain();
  options.per_class = 2;
  options.batch_size = 3;
  CHECK_THROWS_WITH(make_photo_sampler("bilevel", set, options), Contains("batches of 3"));
  options.batch_size = 0;
  for (const PhotoSamplerRow& row : photo_samplers())
    CHECK_THROWS_AS(make_photo_sampler(row.name, set, options), Error);
}
