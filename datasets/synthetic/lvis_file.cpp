#include "datasets/synthetic/lvis_file.h"

#include <rapidjson/filewritestream.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "datasets/synthetic/trace.h"
#include "tensor/error.h"

namespace tailseg::synthetic {
namespace {

using Writer = rapidjson::Writer<rapidjson::FileWriteStream>;

void member(Writer& json, const char* key, int64_t value) {
  json.Key(key);
  json.Int64(value);
}
void member(Writer& json, const char* key, const std::string& value) {
  json.Key(key);
  json.String(value.c_str(), static_cast<rapidjson::SizeType>(value.size()));
}
void number(Writer& json, double value) {  // polygons lie on halves of pixels: whole numbers stay short
  if (value == static_cast<double>(static_cast<int64_t>(value))) {
    json.Int64(static_cast<int64_t>(value));
  } else {
    json.Double(value);
  }
}

void write_category(Writer& json, const LvisCategory& category, int64_t id) {
  json.StartObject();
  member(json, "id", id);
  member(json, "name", category.name);
  member(json, "synset", category.synset);
  json.Key("synonyms");
  json.StartArray();
  for (const std::string& word : category.synonyms) json.String(word.c_str());
  json.EndArray();
  member(json, "def", category.definition);
  member(json, "frequency", std::string(1, category.frequency));
  member(json, "image_count", category.image_count);
  member(json, "instance_count", category.instance_count);
  json.EndObject();
}

void write_image_record(Writer& json, const LvisImage& image, const std::vector<int32_t>& place) {
  json.StartObject();
  member(json, "id", image.id);
  member(json, "width", image.width);
  member(json, "height", image.height);
  member(json, "coco_url", kPictureUrl + image.file);
  member(json, "flickr_url", std::string());
  member(json, "license", int64_t{1});
  member(json, "date_captured", std::string());
  std::vector<int32_t> ids;
  for (const int32_t label : image.negatives) ids.push_back(place[label] + 1);
  std::sort(ids.begin(), ids.end());
  json.Key("neg_category_ids");
  json.StartArray();
  for (const int32_t id : ids) json.Int(id);
  json.EndArray();
  json.Key("not_exhaustive_category_ids");
  json.StartArray();
  json.EndArray();
  json.EndObject();
}

void write_annotation(Writer& json, const LvisObject& object, int64_t id, int64_t image_id, int64_t category_id) {
  double left = 1e30, top = 1e30, right = -1e30, bottom = -1e30;
  for (const auto& polygon : object.polygons) {
    for (size_t i = 0; i < polygon.size(); i += 2) {
      left = std::min(left, polygon[i]), right = std::max(right, polygon[i]);
      top = std::min(top, polygon[i + 1]), bottom = std::max(bottom, polygon[i + 1]);
    }
  }
  json.StartObject();
  member(json, "id", id);
  member(json, "image_id", image_id);
  member(json, "category_id", category_id);
  json.Key("bbox");
  json.StartArray();
  for (const double value : {left, top, right - left, bottom - top}) number(json, value);
  json.EndArray();
  json.Key("area");
  number(json, polygon_area(object.polygons));
  json.Key("segmentation");
  json.StartArray();
  for (const auto& polygon : object.polygons) {
    json.StartArray();
    for (const double value : polygon) number(json, value);
    json.EndArray();
  }
  json.EndArray();
  json.EndObject();
}

void write_document(Writer& json, const std::vector<LvisCategory>& categories, const std::vector<int32_t>& place,
                    const std::vector<LvisImage>& images) {
  json.StartObject();
  json.Key("info");
  json.StartObject();
  member(json, "description", std::string(kDescription));
  member(json, "version", std::string("v1"));
  json.EndObject();
  json.Key("licenses");
  json.StartArray();
  json.StartObject();
  member(json, "id", int64_t{1});
  member(json, "name", std::string("CC0 1.0"));
  member(json, "url", std::string("https://creativecommons.org/publicdomain/zero/1.0/"));
  json.EndObject();
  json.EndArray();
  json.Key("images");
  json.StartArray();
  for (const LvisImage& image : images) write_image_record(json, image, place);
  json.EndArray();
  json.Key("annotations");
  json.StartArray();
  int64_t id = 0;
  for (const LvisImage& image : images) {
    for (const LvisObject& object : image.objects) {
      write_annotation(json, object, ++id, image.id, place[object.label] + 1);
    }
  }
  json.EndArray();
  json.Key("categories");
  json.StartArray();
  std::vector<const LvisCategory*> by_place(categories.size());
  for (size_t k = 0; k < categories.size(); ++k) by_place[place[k]] = &categories[k];
  for (size_t i = 0; i < by_place.size(); ++i) write_category(json, *by_place[i], static_cast<int64_t>(i) + 1);
  json.EndArray();
  json.EndObject();
}

}  // namespace

void write_lvis_file(const std::string& path, const std::vector<LvisCategory>& categories,
                     const std::vector<int32_t>& place, const std::vector<LvisImage>& images) {
  const std::string unfinished = path + ".part";
  FILE* file = std::fopen(unfinished.c_str(), "wb");
  TS_CHECK(file, "writing ", unfinished, ": ", std::strerror(errno));
  std::vector<char> buffer(1 << 16);
  rapidjson::FileWriteStream stream(file, buffer.data(), buffer.size());
  Writer json(stream);
  write_document(json, categories, place, images);
  stream.Flush();
  const bool written = std::ferror(file) == 0;
  const bool closed = std::fclose(file) == 0;
  TS_CHECK(written && closed, "writing ", unfinished, ": ", std::strerror(errno));
  std::error_code error;
  std::filesystem::rename(unfinished, path, error);
  TS_CHECK(!error, "renaming ", unfinished, " to ", path, ": ", error.message());
}

}  // namespace tailseg::synthetic
