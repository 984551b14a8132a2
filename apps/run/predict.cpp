#include "apps/run/predict.h"

#include <rapidjson/prettywriter.h>
#include <rapidjson/stringbuffer.h>

#include <filesystem>
#include <iostream>
#include <set>

#include "apps/command_line.h"
#include "apps/number_text.h"
#include "apps/output_folder.h"
#include "apps/picture/overlay.h"
#include "apps/run/device_choice.h"
#include "apps/run/found_objects.h"
#include "apps/run/open_model.h"
#include "apps/run/stop_signal.h"
#include "datasets/image_decode.h"
#include "datasets/image_encode.h"
#include "datasets/image_folder.h"
#include "datasets/utf8_text.h"
#include "nn/atomic_file.h"

namespace tailseg {
namespace {

namespace fs = std::filesystem;

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

void write_image(Json& json, int64_t id, const std::string& file, const std::string& picture) {
  json.StartObject();
  json.Key("id");
  json.Int64(id);
  json.Key("file_name");
  json.String(utf8_text(file).c_str());
  json.Key("picture");
  json.String(utf8_text(picture).c_str());
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
std::string picture_name(const fs::path& photo, std::set<std::string>& used) {
  const std::string stem = photo.stem().string();
  std::string name = stem + ".png";
  for (int n = 2; !used.insert(name).second; ++n) name = text(stem, "_", n, ".png");
  return name;
}

// Pictures have their photos' names: among the photos they would replace them.
void check_apart(const std::vector<std::string>& photos, const std::string& output) {
  for (const std::string& photo : photos) {
    std::error_code error;
    const fs::path folder = fs::path(photo).has_parent_path() ? fs::path(photo).parent_path() : ".";
    TS_CHECK(!fs::equivalent(folder, output, error), "--output ", output, " is the folder of ", photo,
             "; pictures there could replace photos, choose another folder");
  }
}

void write_picture(const fs::path& path, const Image& picture) {
  const std::vector<uint8_t> png = encode_png(picture);
  write_file_atomically(path.string(), {reinterpret_cast<const char*>(png.data()), png.size()});
}

}  // namespace

bool predict(const PredictOptions& options) {
  std::vector<std::string> left_out;
  const std::vector<std::string> photos = photo_files(options.inputs, &left_out);
  check_apart(photos, options.output);
  make_output_folder(options.output);
  Context ctx(device_of(options.device));
  ModelSource source{
      options.checkpoint, options.config, {"test.score_threshold=" + number_text(options.score_threshold)}};
  source.settings.insert(source.settings.end(), options.settings.begin(), options.settings.end());
  LoadedModel loaded = open_model(ctx, source);
  if (!options.categories.empty()) {
    if (loaded.named) throw UsageError(loaded.path + " knows its classes; --categories is for imported weights");
    name_classes(loaded, read_annotations(options.categories));
  }

  ObjectFinder finder(ctx, *loaded.model, loaded.config);
  rapidjson::StringBuffer results_text, images_text;
  Json results(results_text), images(images_text);
  results.StartArray();
  images.StartArray();
  std::set<std::string> used;
  int64_t image_id = 0;
  for (const std::string& path : left_out) std::cerr << "skipped: " << path << ": only JPEG and PNG are read\n";
  bool stopped = false;
  catch_stop_signals();
  for (const std::string& path : photos) {
    if ((stopped = stop_signal() != 0)) break;
    Image photo;
    try {
      photo = read_image(path);
    } catch (const Error& problem) {
      std::cerr << "skipped: " << problem.what() << "\n";
      continue;
    }
    ++image_id;
    std::vector<FoundObject> objects = finder.find(photo);
    std::erase_if(objects, [&](const FoundObject& object) { return object.score < options.score_threshold; });
    const std::string name = picture_name(path, used);
    write_picture(fs::path(options.output) / name, draw_instances(photo, picture_instances(objects, loaded.classes)));
    write_image(images, image_id, path, name);
    for (const FoundObject& object : objects) write_object(results, object, loaded.classes, image_id);
    std::cout << path << ": " << objects.size() << " objects, " << name << "\n" << std::flush;
  }
  TS_CHECK(image_id > 0 || stopped, "none of the ", photos.size(), " photos could be read");
  results.EndArray();
  images.EndArray();
  write_file_atomically((fs::path(options.output) / "results.json").string(), results_text.GetString());
  write_file_atomically((fs::path(options.output) / "images.json").string(), images_text.GetString());
  if (stopped) std::cerr << "stopped by signal " << stop_signal() << " after " << image_id << " photos\n";
  return !stopped;
}

}  // namespace tailseg
