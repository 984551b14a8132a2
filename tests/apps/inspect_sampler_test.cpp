// The sampler's report: counts by hand on a set of ten photos.
#include "apps/inspect_sampler.h"

#include <catch2/catch.hpp>
#include <sstream>

#include "apps/config/data_options.h"
#include "datasets/json/json_value.h"
#include "tensor/error.h"

using namespace tailseg;
using Catch::Matchers::Contains;

namespace {

// Photos 1 to 8 show one cup each, photo 8 also two owls, photo 9 one owl, photo 10 nothing; no photo shows a yak.
AnnotationSet ten_photos() {
  std::string images, objects;
  int id = 0;
  const auto add = [&](int image, int category) {
    objects += (id ? "," : "") + std::string("{\"id\":") + std::to_string(id + 1) +
               ",\"image_id\":" + std::to_string(image) + ",\"category_id\":" + std::to_string(category) +
               ",\"bbox\":[2,3,20,10],\"area\":100,\"iscrowd\":0,\"segmentation\":[[2,3,22,3,22,13]]}";
    ++id;
  };
  for (int i = 1; i <= 10; ++i) {
    images += (i > 1 ? "," : "") + std::string("{\"id\":") + std::to_string(i) +
              ",\"width\":90,\"height\":70,\"file_name\":\"a.png\"}";
    if (i <= 8) add(i, 1);
  }
  add(8, 2);
  add(8, 2);
  add(9, 2);
  return parse_annotations("{\"images\":[" + images + "],\"annotations\":[" + objects +
                               "],\"categories\":[{\"id\":1,\"name\":\"cup\",\"frequency\":\"f\"},{\"id\":2,\"name\":"
                               "\"owl\",\"frequency\":\"r\"},{\"id\":3,\"name\":\"yak\",\"frequency\":\"r\"}]}",
                           "ten.json");
}

Config config_of(std::vector<std::string> settings) {
  settings.insert(settings.begin(), {"solver.ims_per_batch=1", "data.aspect_grouping=false"});
  return load_config("", settings);
}

void check_count(const SeenCount& count, int64_t before, double expected) {
  CHECK(count.before == before);
  CHECK(count.expected == Approx(expected));
}

}  // namespace

TEST_CASE("what each sampler shows of each class") {
  const AnnotationSet set = ten_photos();
  // f(owl) = 2 / 9, t = 1/2: r = 1.5 for photos 8 and 9.
  SamplerReport report = inspect_sampler(
      set,
      config_of({"train.sampler.type=repeat_factor", "train.sampler.threshold=0.5", "train.sampler.rounding=ceil"}), 0);
  check_count(report.photos, 9, 11);
  check_count(report.class_photos[0], 8, 9);
  check_count(report.class_objects[0], 8, 9);
  check_count(report.class_photos[1], 2, 4);
  check_count(report.class_objects[1], 3, 6);
  check_count(report.class_photos[2], 0, 0);
  CHECK(report.class_objects[1].drawn == 6);
  CHECK(report.photos.drawn == 11);
  CHECK(report.most_shown == 2);
  CHECK(report.shown == 9);

  report = inspect_sampler(set,
                           config_of({"train.sampler.type=repeat_factor", "train.sampler.threshold=0.5",
                                      "train.sampler.rounding=stochastic", "data.empty_photos=keep"}),
                           0);
  const double r = std::sqrt(0.5 / 0.2);  // f(owl) = 2 / 10 with the empty photo
  check_count(report.photos, 10, 8 + 2 * r);
  check_count(report.class_objects[1], 3, 3 * r);

  // Two classes in turn, 40 draws: each 20 times; cups uniformly of 8 photos, owls of 2.
  report = inspect_sampler(set, config_of({"train.sampler.type=class_balanced", "train.sampler.epoch_batches=40"}), 0);
  check_count(report.photos, 9, 40);
  check_count(report.class_photos[0], 8, 20 + 10);         // of photo 8's 2.5 + 10 draws all show a cup
  check_count(report.class_objects[1], 3, 2 * 12.5 + 10);  // photo 8 has two owls
  CHECK(report.photos.drawn == 40);
  report = inspect_sampler(
      set, config_of({"train.sampler.type=bilevel", "train.sampler.epoch_batches=40", "train.sampler.class_power=1"}),
      0);
  check_count(report.class_photos[1], 2, 8 + 40 * 0.8 / 8);  // owls get 2 of 10 tickets
}

TEST_CASE("the sampler's report in words and as JSON") {
  const AnnotationSet set = ten_photos();
  const SamplerReport report = inspect_sampler(
      set,
      config_of({"train.sampler.type=repeat_factor", "train.sampler.threshold=0.5", "train.sampler.rounding=ceil"}), 3);
  std::ostringstream out;
  print_sampler(set, report, 1, out);
  CHECK_THAT(out.str(), Contains("ten.json: epoch 3 of sampler repeat_factor (Gupta"));
  CHECK_THAT(out.str(), Contains("threshold 0.5, exponent 0.5, frequency by image, rounding ceil, batches of 1"));
  CHECK_THAT(out.str(), Contains("9 to draw from; 11.0 expected, 11 drawn (9 different ones, one at most 2 times)"));
  CHECK_THAT(out.str(), Contains("frequency r") && Contains("frequency f") && !Contains("frequency c"));
  CHECK_THAT(out.str(), Contains("cup") && Contains("1 more") && Contains("yak") && !Contains("owl"));
  JsonString sampler;
  JsonInteger epoch, before;
  JsonObject root, photos;
  photos.add("before", before, true);
  root.add("sampler", sampler, true);
  root.add("epoch", epoch, true);
  root.add("photos", photos, true);
  walk_json(sampler_json(set, report), "json", root);
  CHECK(sampler.value == "repeat_factor");
  CHECK(epoch.value == 3);
  CHECK(before.value == 9);
}

TEST_CASE("the configuration names every sampler, and its settings reach it") {
  for (const PhotoSamplerRow& row : photo_samplers()) {
    CHECK(load_config("", {std::string("train.sampler.type=") + row.name}).train.sampler.type == row.name);
  }
  CHECK_THROWS_WITH(load_config("", {"train.sampler.type=rfs"}),
                    Contains("random, repeat_factor, class_balanced, bilevel"));
  CHECK_THROWS_WITH(load_config("", {"train.sampler.treshold=1"}), Contains("did you mean 'train.sampler.threshold'?"));
  CHECK_THROWS_WITH(load_config("", {"train.sampler.threshold=1.5"}), Contains("from 0 to 1"));
  CHECK_THROWS_WITH(load_config("", {"train.sampler.photos_per_class=0"}), Contains("from 1"));
  CHECK(load_config("", {"preset=mmdet"}).train.sampler.rounding == "ceil");
  CHECK(load_config("", {"preset=detectron2"}).train.sampler.rounding == "stochastic");

  const PhotoSamplerOptions o = sampler_options(load_config(
      "", {"solver.ims_per_batch=6", "train.seed=9", "data.target_rule=detectron2", "data.empty_photos=as_class",
           "data.aspect_grouping=false", "train.sampler.threshold=0.02", "train.sampler.exponent=0.7",
           "train.sampler.frequency=instance", "train.sampler.rounding=stochastic", "train.sampler.photos_per_class=3",
           "train.sampler.epoch_batches=11", "train.sampler.class_cap=50", "train.sampler.class_power=0.5"}));
  CHECK(o.batch_size == 6);
  CHECK(o.seed == 9);
  CHECK(o.rule == Convention::kDetectron2);
  CHECK(o.empty == EmptyPhotos::as_class);
  CHECK_FALSE(o.aspect_grouping);
  CHECK(o.repeat.threshold == 0.02);
  CHECK(o.repeat.exponent == 0.7);
  CHECK(o.repeat.frequency == RepeatFrequency::instance);
  CHECK(o.repeat.rounding == RepeatRounding::stochastic);
  CHECK(o.per_class == 3);
  CHECK(o.epoch_batches == 11);
  CHECK(o.class_cap == 50);
  CHECK(o.class_power == 0.5);
}
