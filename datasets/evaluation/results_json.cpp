// Results files, read and written.
#include <rapidjson/filewritestream.h>
#include <rapidjson/writer.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "datasets/evaluation/detections.h"
#include "datasets/json/mapped_text.h"
#include "datasets/mask/mask_json.h"
#include "datasets/mask/polygon.h"
#include "tensor/error.h"

namespace tailseg {

namespace {

class BoxValue : public JsonNumbers {  // an empty list is no box, as in pycocotools
 public:
  void null() override { values.clear(); }
};

class ResultReader {
 public:
  ResultReader(const AnnotationSet& set, const FederatedLabels* federated) : set_(set), federated_(federated) {
    object_.add("image_id", image_, true);
    object_.add("category_id", category_, false);
    object_.add("score", score_, true);
    object_.add("bbox", box_, false);
    object_.add("segmentation", mask_, false);
    object_.on_begin = [this] { mask_.reset(); };
    object_.on_end = [this] { keep(); };
  }
  JsonValue& list() { return list_; }
  Detections take() { return std::move(out_); }

 private:
  void keep() {
    try {
      keep_checked();
    } catch (const Error& error) {
      throw JsonMismatch(text("result ", out_.size(), " (image ", image_.value, "): ", error.what()));
    }
  }

  void keep_checked() {
    const int32_t image = set_.image_index(image_.value);
    TS_CHECK(image >= 0, "image_id is no image of ", set_.path);
    TS_CHECK(std::isfinite(score_.value), "score is ", score_.value);
    const bool has_box = object_.has(box_) && !box_.values.empty();
    Box box{};
    if (has_box) {
      TS_CHECK(box_.values.size() == 4, "bbox has ", box_.values.size(), " numbers, expected x, y, width, height");
      for (int i = 0; i < 4; ++i) {
        box[i] = box_.values[i];
        TS_CHECK(std::isfinite(box[i]), "bbox[", i, "] is ", box[i]);
      }
    }
    const bool has_mask = mask_.mask.form != ParsedMask::Form::kNone;
    TS_CHECK(has_box || has_mask, "has neither bbox nor segmentation");
    int32_t label = -1;
    if (object_.has(category_)) {
      label = set_.label_of(category_.value);
      out_.unknown_category += label < 0;
    }
    const bool wanted = !federated_ || (label >= 0 && federated_->counts(image, label));
    const std::string_view runs = has_mask && wanted ? mask_text(image) : std::string_view();
    out_.add(image, label, score_.value, has_box ? &box : nullptr, has_mask ? &runs : nullptr, wanted);
  }

  // Every form of mask as RLE text.
  std::string_view mask_text(int32_t image) {
    const ParsedMask& mask = mask_.mask;
    const int32_t height = set_.images.height[image], width = set_.images.width[image];
    if (mask.form == ParsedMask::Form::kPolygons) {
      std::vector<Rle> parts;
      size_t begin = 0;
      for (const size_t end : mask.polygon_end) {
        parts.push_back(polygon_to_rle(std::span(mask.coordinates).subspan(begin, end - begin), height, width));
        begin = end;
      }
      TS_CHECK(!parts.empty(), "segmentation is an empty list");
      text_ = rle_to_string(rle_union(parts).counts);
      return text_;
    }
    check_mask_size(mask, height, width);
    if (mask.form == ParsedMask::Form::kText) return mask.text;
    runs_.clear();
    read_runs(mask, runs_);
    text_ = rle_to_string(runs_);
    return text_;
  }

  const AnnotationSet& set_;
  const FederatedLabels* federated_;
  Detections out_;
  JsonInteger image_, category_;
  JsonNumber score_;
  BoxValue box_;
  MaskValue mask_;
  std::string text_;
  std::vector<uint32_t> runs_;
  JsonObject object_;
  JsonList list_{"a list of results (an object is an annotation file)", object_};
};

}  // namespace

Detections read_results(const std::string& path, const AnnotationSet& set, const FederatedLabels* federated) {
  const MappedText file(path);
  ResultReader reader(set, federated);
  walk_json(file.text(), path, reader.list(), &file);
  return reader.take();
}

Detections parse_results(std::string_view json, const std::string& name, const AnnotationSet& set,
                         const FederatedLabels* federated) {
  ResultReader reader(set, federated);
  walk_json(json, name, reader.list());
  return reader.take();
}

void write_results(const std::string& path, const AnnotationSet& set, const Detections& detections) {
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "wb"), std::fclose);
  TS_CHECK(file, path, ": cannot be opened for writing");
  std::vector<char> buffer(1 << 16);
  rapidjson::FileWriteStream stream(file.get(), buffer.data(), buffer.size());
  rapidjson::Writer<rapidjson::FileWriteStream> json(stream);
  json.StartArray();
  for (int64_t row = 0; row < detections.size(); ++row) {
    const int32_t image = detections.image[row], slot = detections.slot[row];
    if (slot < 0) continue;
    json.StartObject();
    json.Key("image_id");
    json.Int64(set.images.id[image]);
    if (detections.label[row] >= 0) {
      json.Key("category_id");
      json.Int64(set.categories[detections.label[row]].id);
    }
    if (detections.has_box[row]) {
      json.Key("bbox");
      json.StartArray();
      for (const double v : detections.box[slot]) json.Double(v);
      json.EndArray();
    }
    json.Key("score");
    json.Double(detections.score[row]);
    if (detections.has_mask[row]) {
      const std::string_view runs = detections.mask[slot];
      json.Key("segmentation");
      json.StartObject();
      json.Key("size");
      json.StartArray();
      json.Int(set.images.height[image]);
      json.Int(set.images.width[image]);
      json.EndArray();
      json.Key("counts");
      json.String(runs.data(), static_cast<rapidjson::SizeType>(runs.size()));
      json.EndObject();
    }
    json.EndObject();
  }
  json.EndArray();
  stream.Flush();
  TS_CHECK(std::fflush(file.get()) == 0 && std::ferror(file.get()) == 0, path, ": could not be written in full");
}

}  // namespace tailseg
