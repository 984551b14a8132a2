// The JSON form of COCO, LVIS v0.5 and LVIS v1 annotation files, record by record into the flat arrays.
// COCO: images have file_name; annotations have iscrowd, crowds as RLE. LVIS: images have neg_category_ids and
// not_exhaustive_category_ids; v0.5's file_name is COCO_val2014_000000xxxxxx.jpg, of which the file has the last 16
// characters; v1 has no file_name, the last two parts of coco_url are folder and file.
#include <limits>

#include "datasets/annotations_check.h"
#include "datasets/json/mapped_text.h"
#include "datasets/mask/mask_json.h"
#include "datasets/utf8_text.h"
#include "tensor/error.h"

namespace tailseg {

namespace {

// "http://images.cocodataset.org/val2017/000000397133.jpg" -> "val2017/000000397133.jpg"
std::string last_two_parts(const std::string& url) {
  const size_t name = url.rfind('/');
  if (name == std::string::npos || name == 0) return url;
  const size_t folder = url.rfind('/', name - 1);
  return folder == std::string::npos ? url : url.substr(folder + 1);
}

std::string image_file(const std::string& file_name, const std::string& coco_url, bool lvis) {
  constexpr size_t kV05Name = 16;  // "000000397133.jpg"
  if (file_name.empty()) return last_two_parts(coco_url);
  if (lvis && file_name.starts_with("COCO_") && file_name.size() > kV05Name) {
    return file_name.substr(file_name.size() - kV05Name);
  }
  return file_name;
}

class CategoryReader {
 public:
  explicit CategoryReader(AnnotationSet& set) : set_(set) {
    object_.add("id", id_, true);
    object_.add("name", name_, true);
    object_.add("synset", synset_, false);
    object_.add("frequency", frequency_, false);
    object_.add("image_count", images_, false);
    object_.add("instance_count", instances_, false);
    object_.on_end = [this] { keep(); };
  }
  JsonValue& list() { return list_; }

 private:
  void keep() {
    if (utf8_text(name_.value) != name_.value) {
      throw JsonMismatch(text("category ", id_.value, ": its name is not UTF-8"));
    }
    Category category{id_.value, name_.value, "", 0, -1, -1};
    if (object_.has(synset_)) category.synset = synset_.value;
    if (object_.has(images_)) category.image_count = images_.value;
    if (object_.has(instances_)) category.instance_count = instances_.value;
    if (object_.has(frequency_)) {
      const std::string& letter = frequency_.value;
      if (letter != "r" && letter != "c" && letter != "f") {
        throw JsonMismatch(text("category ", id_.value, ": frequency is '", letter, "', expected r, c or f"));
      }
      category.frequency = letter[0];
    }
    set_.categories.push_back(std::move(category));
  }

  AnnotationSet& set_;
  JsonInteger id_, images_, instances_;
  JsonString name_, synset_, frequency_;
  JsonObject object_;
  JsonList list_{"a list of categories", object_};
};

class ImageReader {
 public:
  ImageReader(AnnotationSet& set, FileIds& ids) : set_(set), ids_(ids) {
    object_.add("id", id_, true);
    object_.add("width", width_, true);
    object_.add("height", height_, true);
    object_.add("file_name", file_name_, false);
    object_.add("coco_url", coco_url_, false);
    object_.add("neg_category_ids", negative_, false);
    object_.add("not_exhaustive_category_ids", not_exhaustive_, false);
    object_.on_end = [this] { keep(); };
  }
  JsonValue& list() { return list_; }

 private:
  int32_t side(const JsonInteger& value, const char* which) const {
    if (value.value < 1 || value.value > std::numeric_limits<int32_t>::max()) {
      throw JsonMismatch(text("image ", id_.value, ": ", which, " is ", value.value));
    }
    return static_cast<int32_t>(value.value);
  }

  void keep() {
    Images& images = set_.images;
    const int32_t width = side(width_, "width"), height = side(height_, "height");
    if (int64_t{width} * height > std::numeric_limits<uint32_t>::max()) {
      throw JsonMismatch(text("image ", id_.value, ": ", width, "x", height, " has more pixels than a mask can have"));
    }
    images.id.push_back(id_.value);
    images.width.push_back(width);
    images.height.push_back(height);
    const bool lvis = object_.has(negative_) || object_.has(not_exhaustive_);
    set_.lvis = set_.lvis || lvis;
    images.file.push_back(image_file(object_.has(file_name_) ? file_name_.value : "",
                                     object_.has(coco_url_) ? coco_url_.value : "", lvis));
    if (object_.has(negative_)) append(negative_.values, ids_.negative);
    ids_.negative.end_list();
    if (object_.has(not_exhaustive_)) append(not_exhaustive_.values, ids_.not_exhaustive);
    ids_.not_exhaustive.end_list();
  }

  static void append(const std::vector<int64_t>& from, Lists<int64_t>& to) {
    to.values.insert(to.values.end(), from.begin(), from.end());
  }

  AnnotationSet& set_;
  FileIds& ids_;
  JsonInteger id_, width_, height_;
  JsonString file_name_, coco_url_;
  JsonIntegers negative_, not_exhaustive_;
  JsonObject object_;
  JsonList list_{"a list of images", object_};
};

class AnnotationReader {
 public:
  AnnotationReader(AnnotationSet& set, FileIds& ids) : set_(set), all_(set.annotations), ids_(ids) {
    object_.add("id", id_, true);
    object_.add("image_id", image_, true);
    object_.add("category_id", category_, true);
    object_.add("bbox", box_, true);
    object_.add("area", area_, true);
    object_.add("iscrowd", crowd_, false);
    object_.add("ignore", ignore_, false);
    object_.add("segmentation", mask_, false);
    object_.on_begin = [this] { mask_.reset(); };
    object_.on_end = [this] { keep(); };
  }
  JsonValue& list() { return list_; }

 private:
  void keep() {
    const auto name = [this] { return text("annotation ", id_.value, ": "); };
    if (box_.values.size() != 4) {
      throw JsonMismatch(text(name(), "bbox has ", box_.values.size(), " numbers, expected x, y, width, height"));
    }
    if (all_.size() == std::numeric_limits<int32_t>::max()) throw JsonMismatch("more than 2^31 annotations");
    all_.id.push_back(id_.value);
    ids_.image_of.push_back(image_.value);
    ids_.category_of.push_back(category_.value);
    all_.box.push_back({box_.values[0], box_.values[1], box_.values[2], box_.values[3]});
    all_.area.push_back(area_.value);
    all_.crowd.push_back(object_.has(crowd_) && crowd_.value);
    all_.ignore.push_back(object_.has(ignore_) && ignore_.value);
    try {
      keep_mask();
    } catch (const Error& error) {  // from the RLE codec, which knows no ids
      throw JsonMismatch(name() + error.what());
    }
  }

  void keep_mask() {
    using Form = ParsedMask::Form;
    const ParsedMask& mask = mask_.mask;
    int32_t rle_index = -1;
    if (mask.form == Form::kPolygons) keep_polygons(mask);
    if (mask.form == Form::kText || mask.form == Form::kCounts) {
      read_runs(mask, all_.rle.values);
      rle_index = static_cast<int32_t>(all_.rle.size());
      all_.rle.end_list();
      ids_.rle_size.push_back({static_cast<int32_t>(mask.size[0]), static_cast<int32_t>(mask.size[1])});
    }
    all_.polygon_begin.push_back(all_.polygons.size());
    all_.rle_index.push_back(rle_index);
  }

  void keep_polygons(const ParsedMask& mask) {
    size_t begin = 0;
    for (size_t i = 0; i < mask.polygon_end.size(); ++i) {
      const size_t end = mask.polygon_end[i], length = end - begin;
      TS_CHECK(length % 2 == 0, "polygon ", i, " has ", length, " coordinates, an odd number");
      if (length < 6) {
        ids_.short_polygons.push_back({all_.size() - 1, static_cast<int64_t>(i), static_cast<int64_t>(length / 2)});
      } else {
        const auto first = mask.coordinates.begin();
        all_.polygons.values.insert(all_.polygons.values.end(), first + static_cast<ptrdiff_t>(begin),
                                    first + static_cast<ptrdiff_t>(end));
        all_.polygons.end_list();
      }
      begin = end;
    }
  }

  AnnotationSet& set_;
  Annotations& all_;
  FileIds& ids_;
  JsonInteger id_, image_, category_;
  JsonNumbers box_;
  JsonNumber area_;
  JsonFlag crowd_, ignore_;
  MaskValue mask_;
  JsonObject object_;
  JsonList list_{"a list of annotations", object_};
};

AnnotationSet read(std::string_view json, const std::string& name, const MappedText* file) {
  AnnotationSet set;
  set.path = name;
  // Room for the coordinates, at about 9 bytes of text each: address space only until it is written to, and it spares
  // the copies (and the double peak) of a growing array.
  set.annotations.polygons.values.reserve(json.size() / 9);
  FileIds ids;
  ImageReader images(set, ids);
  AnnotationReader annotations(set, ids);
  CategoryReader categories(set);
  JsonObject root("an object with images, annotations and categories (a list is a result file)");
  root.add("images", images.list(), true);
  root.add("annotations", annotations.list(), true);
  root.add("categories", categories.list(), true);
  walk_json(json, name, root, file);
  resolve(set, ids);
  return set;
}

}  // namespace

AnnotationSet read_annotations(const std::string& path) {
  const MappedText file(path);
  return read(file.text(), path, &file);
}

AnnotationSet parse_annotations(std::string_view json, const std::string& name) { return read(json, name, nullptr); }

}  // namespace tailseg
