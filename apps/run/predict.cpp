#include "apps/run/predict.h"

#include <rapidjson/prettywriter.h>
#include <rapidjson/stringbuffer.h>

#include <algorithm>
#include <filesystem>
#include <iostream>

#include "apps/picture/overlay.h"
#include "apps/run/checkpoint.h"
#include "apps/run/device_choice.h"
#include "apps/run/found_objects.h"
#include "datasets/image_decode.h"
#include "datasets/image_encode.h"
#include "nn/atomic_file.h"

namespace tailseg {
namespace {

namespace fs = std::filesystem;

bool is_photo(const fs::path& path) {
  std::string ending = path.extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(), [](unsigned char c) { return std::tolower(c); });
  return ending == ".jpg" || ending == ".jpeg" || ending == ".png";
}

std::vector<fs::path> photos_of(const std::vector<std::string>& inputs) {
  std::vector<fs::path> photos;
  for (const std::string& input : inputs) {
    if (!fs::is_directory(input)) {
      photos.emplace_back(input);
      continue;
    }
    std::vector<fs::path> inside;
    for (const auto& entry : fs::directory_iterator(input)) {
      if (entry.is_regular_file() && is_photo(entry.path())) inside.push_back(entry.path());
    }
    TS_CHECK(!inside.empty(), "the folder ", input, " holds no photo (.jpg, .jpeg, .png)");
    std::sort(inside.begin(), inside.end());
    photos.insert(photos.end(), inside.begin(), inside.end());
  }
  return photos;
}

using Json = rapidjson::PrettyWriter<rapidjson::StringBuffer>;

void write_object(Json& json, const FoundObject& object, const ClassList& classes, int64_t image_id) {
  const auto label = static_cast<size_t>(object.label);
  json.StartObject();
  json.Key("image_id");
  json.Int64(image_id);
  json.Key("category_id");
  json.Int64(classes.ids[label]);
  json.Key("bbox");
  json.StartArray();
  for (const float v : {object.box[0], object.box[1], object.box[2] - object.box[0], object.box[3] - object.box[1]}) {
    json.Double(v);
  }
  json.EndArray();
  json.Key("score");
  json.Double(object.score);
  json.Key("segmentation");
  json.StartObject();
  json.Key("size");
  json.StartArray();
  json.Int(object.mask.height);
  json.Int(object.mask.width);
  json.EndArray();
  json.Key("counts");
  json.String(rle_to_string(object.mask.counts).c_str());
  json.EndObject();
  json.EndObject();
}

std::vector<PictureInstance> picture_instances(const std::vector<FoundObject>& objects, const ClassList& classes) {
  std::vector<PictureInstance> instances;
  for (const FoundObject& object : objects) {
    PictureInstance instance;
    instance.name = classes.names[static_cast<size_t>(object.label)];
    instance.score = object.score;
    instance.box = {object.box[0], object.box[1], object.box[2], object.box[3]};
    instance.set_mask(object.mask);
    instances.push_back(std::move(instance));
  }
  return instances;
}

// "a/photo.jpg" -> "photo.png"; a second photo of that name becomes "photo_2.png".
std::string picture_name(const fs::path& photo, std::vector<std::string>& used) {
  const std::string stem = photo.stem().string();
  std::string name = stem + ".png";
  for (int n = 2; std::find(used.begin(), used.end(), name) != used.end(); ++n) name = text(stem, "_", n, ".png");
  used.push_back(name);
  return name;
}

void write_picture(const fs::path& path, const Image& picture) {
  const std::vector<uint8_t> png = encode_png(picture);
  write_file_atomically(path.string(), {reinterpret_cast<const char*>(png.data()), png.size()});
}

}  // namespace

void predict(const PredictOptions& options) {
  const std::vector<fs::path> photos = photos_of(options.inputs);
  Context ctx(device_of(options.device));
  LoadedModel loaded = load_model(ctx, options.checkpoint, options.settings);
  std::error_code error;
  fs::create_directories(options.output, error);
  TS_CHECK(!error, "cannot make the folder ", options.output, ": ", error.message());

  rapidjson::StringBuffer results_text, images_text;
  Json results(results_text), images(images_text);
  results.StartArray();
  images.StartArray();
  std::vector<std::string> used;
  int64_t image_id = 0;
  for (const fs::path& path : photos) {
    Image photo;
    try {
      photo = read_image(path.string());
    } catch (const Error& problem) {
      std::cerr << "skipped: " << problem.what() << "\n";
      continue;
    }
    ++image_id;
    std::vector<FoundObject> objects = find_objects(ctx, *loaded.model, photo, loaded.config);
    std::erase_if(objects, [&](const FoundObject& object) { return object.score < options.score_threshold; });
    const std::string name = picture_name(path, used);
    write_picture(fs::path(options.output) / name,
              draw_instances(photo, picture_instances(objects, loaded.classes)));
    images.StartObject();
    images.Key("id");
    images.Int64(image_id);
    images.Key("file_name");
    images.String(path.string().c_str());
    images.Key("picture");
    images.String(name.c_str());
    images.EndObject();
    for (const FoundObject& object : objects) write_object(results, object, loaded.classes, image_id);
    std::cout << path.string() << ": " << objects.size() << " objects, " << name << "\n";
  }
  TS_CHECK(image_id > 0, "none of the ", photos.size(), " photos could be read");
  results.EndArray();
  images.EndArray();
  write_file_atomically((fs::path(options.output) / "results.json").string(), results_text.GetString());
  write_file_atomically((fs::path(options.output) / "images.json").string(), images_text.GetString());
}

}  // namespace tailseg
