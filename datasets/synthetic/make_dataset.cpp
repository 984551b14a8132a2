#include "datasets/synthetic/make_dataset.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <exception>
#include <filesystem>
#include <mutex>
#include <numeric>
#include <thread>

#include "datasets/image_encode.h"
#include "datasets/synthetic/old_set.h"
#include "datasets/synthetic/split.h"
#include "datasets/synthetic/trace.h"
#include "tensor/error.h"

namespace tailseg::synthetic {
namespace {

// The polygons of one object: its visible pixels within their bounding box, traced there and moved back.
LvisObject trace_object(const Scene& scene, int32_t object) {
  const int64_t width = scene.image.width, height = scene.image.height;
  int64_t left = width, top = height, right = -1, bottom = -1;
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      if (scene.owner[y * width + x] != object) continue;
      left = std::min(left, x), right = std::max(right, x);
      top = std::min(top, y), bottom = std::max(bottom, y);
    }
  }
  const int64_t w = right - left + 1, h = bottom - top + 1;
  std::vector<uint8_t> mask(static_cast<size_t>(w * h));
  for (int64_t y = 0; y < h; ++y) {
    for (int64_t x = 0; x < w; ++x) mask[y * w + x] = scene.owner[(top + y) * width + left + x] == object;
  }
  LvisObject traced;
  traced.label = scene.classes[object];
  traced.polygons = trace_polygons(mask, w, h);
  for (auto& polygon : traced.polygons) {
    for (size_t i = 0; i < polygon.size(); i += 2) {
      polygon[i] += static_cast<double>(left);
      polygon[i + 1] += static_cast<double>(top);
    }
  }
  return traced;
}

std::vector<int32_t> choose_negatives(const LvisImage& image, const DatasetConfig& config, int64_t classes,
                                      uint32_t split, uint32_t number) {
  std::vector<bool> present(static_cast<size_t>(classes), false);
  for (const LvisObject& object : image.objects) present[object.label] = true;
  std::vector<int32_t> absent;
  for (int32_t c = 0; c < classes; ++c) {
    if (!present[c]) absent.push_back(c);
  }
  const int64_t most = config.negatives >= 0 ? config.negatives : classes <= 100 ? classes : 20;
  if (static_cast<int64_t>(absent.size()) > most) {
    shuffle(absent.data(), absent.size(),
            RandomStream({config.seed, random_purpose("synthetic negatives")}, split, number));
    absent.resize(static_cast<size_t>(most));
    std::sort(absent.begin(), absent.end());
  }
  return absent;
}

void make_picture(const DatasetConfig& config, const ClassList& list, Split& split, int64_t number) {
  const auto index = static_cast<uint32_t>(number);
  const Scene scene = paint_scene(list.looks, split.wanted[number], config.scene,
                                  {{config.seed, random_purpose("synthetic scene")}, split.number, index});
  LvisImage& image = split.images[number];
  image.id = split.first_image_id + number;
  image.width = scene.image.width;
  image.height = scene.image.height;
  std::string digits = std::to_string(image.id);
  digits.insert(0, 12 - std::min<size_t>(12, digits.size()), '0');
  image.file = split.name + '/' + digits + (config.png ? ".png" : ".jpg");
  for (int32_t o = 0; o < static_cast<int32_t>(scene.classes.size()); ++o)
    image.objects.push_back(trace_object(scene, o));
  image.negatives = choose_negatives(image, config, static_cast<int64_t>(list.classes.size()), split.number, index);
  write_image(config.output + "/images/" + image.file, scene.image, config.jpeg_quality);
}

// Makes every picture of the splits, on several threads. The first failure is thrown here.
void make_pictures(const DatasetConfig& config, const ClassList& list, std::vector<Split>& splits,
                   const std::function<void(int64_t, int64_t)>& progress) {
  std::vector<std::pair<Split*, int64_t>> tasks;
  for (Split& split : splits) {
    for (int64_t i = 0; i < static_cast<int64_t>(split.images.size()); ++i) tasks.emplace_back(&split, i);
  }
  const auto total = static_cast<int64_t>(tasks.size());
  std::atomic<int64_t> next = 0;
  std::mutex mutex;
  std::condition_variable changed;
  int64_t done = 0;
  int running = std::max(1, config.threads);
  std::exception_ptr failure;
  const auto work = [&] {
    for (int64_t i = next++; i < total; i = next++) {
      try {
        make_picture(config, list, *tasks[i].first, tasks[i].second);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!failure) failure = std::current_exception();
        next = total;
      }
      const std::lock_guard lock(mutex);
      ++done;
    }
    const std::lock_guard lock(mutex);
    --running;
    changed.notify_all();
  };
  std::vector<std::jthread> threads;
  for (int t = running; t > 0; --t) threads.emplace_back(work);
  std::unique_lock lock(mutex);
  while (!changed.wait_for(lock, std::chrono::milliseconds(200), [&] { return running == 0; })) {
    if (progress) progress(done, total);
  }
  if (failure) std::rethrow_exception(failure);
  if (progress) progress(total, total);
}

// LVIS lists its categories by name. Returns the place of each class in that order.
std::vector<int32_t> order_by_name(const std::vector<SyntheticClass>& classes) {
  std::vector<int32_t> order(classes.size()), place(classes.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return classes[a].name < classes[b].name; });
  for (size_t i = 0; i < order.size(); ++i) place[order[i]] = static_cast<int32_t>(i);
  return place;
}

ClassList make_classes(const DatasetConfig& config, std::vector<SyntheticClass> named) {
  const int64_t count = named.empty() ? config.classes : static_cast<int64_t>(named.size());
  ClassList list =
      config.kind == Kind::kGlyphs ? glyph_classes(count, config.font) : shape_classes(count, config.any_colour);
  for (size_t k = 0; k < named.size(); ++k) {
    if (named[k].definition.empty()) named[k].definition = list.classes[k].definition;
  }
  if (!named.empty()) list.classes = std::move(named);
  return list;
}

void check_scene(const SceneConfig& scene) {  // written so that NaN fails
  TS_CHECK(scene.width >= 16 && scene.height >= 16 && scene.width <= 16384 && scene.height <= 16384,
           "making a data set of ", scene.width, " x ", scene.height, " pixels; expected sides of 16 to 16384");
  TS_CHECK(scene.smallest > 0 && scene.smallest <= scene.largest && scene.largest <= 1, "making objects of ",
           scene.smallest, " to ", scene.largest, " of the picture's side; expected 0 < smallest <= largest <= 1");
  TS_CHECK(std::abs(scene.most_turn) <= 360, "turning objects by up to ", scene.most_turn,
           " degrees; expected up to 360");
  TS_CHECK(scene.least_visible > 0 && scene.least_visible <= 1, "keeping ", scene.least_visible,
           " of every object visible; expected more than 0 and at most 1");
}

void check_config(const DatasetConfig& config) {
  TS_CHECK(!config.output.empty(), "making a data set: no output folder was given");
  TS_CHECK(config.train_images >= 1 && config.val_images >= 0, "making a data set of ", config.train_images,
           " images and ", config.val_images, " for validation; expected at least 1 and 0");
  TS_CHECK(config.most_objects >= 1 && config.most_objects <= 1000, "making a data set with up to ",
           config.most_objects, " objects an image; expected 1 to 1000");
  TS_CHECK(config.power <= 100, "the power of the frequency law is ", config.power, ", expected at most 100");
  check_scene(config.scene);
  TS_CHECK(config.kind == Kind::kShapes || !config.font.empty(), "a set of glyphs needs a font file");
  TS_CHECK(config.rare_images < 0 || config.common_images < 0 || config.rare_images < config.common_images,
           "frequency thresholds: rare up to ", config.rare_images, " images, common up to ", config.common_images,
           "; expected rare < common");
  const std::filesystem::path annotations = std::filesystem::path(config.output) / "annotations" / "train.json";
  TS_CHECK(config.overwrite || !std::filesystem::exists(annotations), config.output,
           " holds a data set already; choose another folder or ask to overwrite it");
}

void make_folders(const DatasetConfig& config) {
  for (const char* folder : {"annotations", "images/train", "images/val"}) {
    if (config.val_images == 0 && std::string(folder) == "images/val") continue;
    std::error_code error;
    const std::filesystem::path path = std::filesystem::path(config.output) / folder;
    std::filesystem::create_directories(path, error);
    TS_CHECK(!error, "creating folder ", path.string(), ": ", error.message());
  }
}

// Counts the train split, finds the letters and writes them where both files will read them.
void fill_counts(const DatasetConfig& config, const Split& train, const std::vector<SyntheticClass>& classes,
                 std::vector<LvisCategory>& categories, DatasetSummary& summary) {
  for (const LvisImage& image : train.images) {
    std::vector<bool> seen(categories.size(), false);
    for (const LvisObject& object : image.objects) {
      LvisCategory& category = categories[object.label];
      ++category.instance_count;
      if (!seen[object.label]) ++category.image_count;
      seen[object.label] = true;
    }
  }
  std::vector<int64_t> image_counts;
  for (const LvisCategory& category : categories) image_counts.push_back(category.image_count);
  FrequencyThresholds& thresholds = summary.thresholds;
  thresholds = thresholds_like_lvis(image_counts);
  if (config.rare_images >= 0) thresholds.rare = config.rare_images;
  if (config.common_images >= 0) thresholds.common = config.common_images;
  const auto has_letter = [](const SyntheticClass& c) { return c.frequency != 0; };
  summary.letters_given =
      config.rare_images < 0 && config.common_images < 0 && std::all_of(classes.begin(), classes.end(), has_letter);
  for (size_t k = 0; k < categories.size(); ++k) {
    categories[k].frequency =
        summary.letters_given ? classes[k].frequency : frequency_letter(categories[k].image_count, thresholds);
  }
}

}  // namespace

DatasetSummary make_dataset(const DatasetConfig& config, const std::function<void(int64_t, int64_t)>& progress) {
  check_config(config);
  const OldSet old_set = read_old_set(config.output);
  const ClassList list = make_classes(
      config, config.categories.empty() ? std::vector<SyntheticClass>() : read_categories(config.categories));
  const std::vector<double> weights = class_weights(config, list);
  std::vector<Split> splits = {plan_split(config, weights, kTrain, config.train_images)};
  if (config.val_images > 0) splits.push_back(plan_split(config, weights, kVal, config.val_images));
  remove_old_set(old_set);
  make_folders(config);
  make_pictures(config, list, splits, progress);

  DatasetSummary summary;
  for (const Split& split : splits) {
    for (size_t i = 0; i < split.images.size(); ++i) {
      summary.left_out += static_cast<int64_t>(split.wanted[i].size() - split.images[i].objects.size());
    }
  }
  const auto& pictures = splits[0].images;
  TS_CHECK(std::any_of(pictures.begin(), pictures.end(), [](const LvisImage& image) { return !image.objects.empty(); }),
           "making a data set: none of ", summary.left_out, " objects found a place in its picture of ",
           config.scene.width, " x ", config.scene.height, " pixels; larger pictures or fewer, larger objects help");
  std::vector<LvisCategory> categories;
  for (const SyntheticClass& c : list.classes) {
    categories.push_back({c.name, c.synset, c.definition, c.synonyms, 0, 0, 0});
  }
  fill_counts(config, splits[0], list.classes, categories, summary);
  const std::vector<int32_t> place = order_by_name(list.classes);
  summary.classes.resize(categories.size());
  for (size_t k = 0; k < categories.size(); ++k) {
    const LvisCategory& c = categories[k];
    summary.classes[place[k]] = {c.name, c.frequency, c.image_count, c.instance_count, 0};
  }
  if (config.val_images > 0) {
    for (const LvisImage& image : splits[1].images) {
      for (const LvisObject& object : image.objects) ++summary.classes[place[object.label]].val_instances;
    }
  }
  for (const Split& split : splits) {
    write_lvis_file(config.output + "/annotations/" + split.name + ".json", categories, place, split.images);
  }
  return summary;
}

}  // namespace tailseg::synthetic
