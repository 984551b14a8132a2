// Writes an annotation file and a results file of LVIS v1's size and shape, the same bytes for the same options:
//   make_lvis_files --annotations val.json --results results.json
//                                                   as large as v1 val: 19,809 images x 300 detections, 1203 classes
//   make_lvis_files --annotations train.json --images 100170 --instances 1270141 --points 34
//                                                   as large as v1 train
// Classes follow a power law. Each image has its instances' classes, about ten verified negatives and a few
// not-exhaustive ones; of its detections two fifths are moved copies of instances and the rest lie anywhere.
#include <CLI/CLI.hpp>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <memory>
#include <numbers>
#include <string>
#include <vector>

#include "apps/command_line.h"
#include "datasets/mask/polygon.h"
#include "tensor/error.h"

namespace {

using tailseg::fail;

constexpr int kWidth = 640, kHeight = 480;

struct Options {
  std::string annotations, results;
  int images = 19809, classes = 1203, detections = 300, points = 20;
  int64_t instances = 244707;
  bool boxes = true, masks = true;
};

// A counter through a mixing function (splitmix64): a stream for each key.
class Stream {
 public:
  explicit Stream(uint64_t key) : state_(key * 0xd1342543de82ef95 + 1) {}
  uint64_t bits() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  double uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }
  double between(double low, double high) { return low + (high - low) * uniform(); }
  int below(int n) { return static_cast<int>(uniform() * n); }

 private:
  uint64_t state_;
};

class Writer {
 public:
  explicit Writer(const std::string& path) : path_(path), file_(std::fopen(path.c_str(), "wb"), std::fclose) {
    if (!file_) fail(path, ": cannot be written");
  }
  Writer& operator<<(std::string_view text) {
    buffer_ += text;
    if (buffer_.size() > (1 << 20)) flush();
    return *this;
  }
  Writer& operator<<(int64_t value) { return number(value); }
  Writer& operator<<(int value) { return number(value); }
  Writer& operator<<(double value) {  // two decimals, as LVIS has
    char digits[32];
    const auto end = std::to_chars(digits, digits + sizeof digits, value, std::chars_format::fixed, 2).ptr;
    return *this << std::string_view(digits, end);
  }
  void close() {
    flush();
    if (std::fclose(file_.release()) != 0) fail(path_, ": could not be written in full");
  }

 private:
  template <class T>
  Writer& number(T value) {
    char digits[32];
    return *this << std::string_view(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
  }
  void flush() {
    if (std::fwrite(buffer_.data(), 1, buffer_.size(), file_.get()) != buffer_.size()) fail(path_, ": disk full?");
    buffer_.clear();
  }
  std::string path_;
  std::unique_ptr<FILE, int (*)(FILE*)> file_;
  std::string buffer_;
};

struct Instance {
  int category;
  std::array<double, 4> box;
};

int draw_category(Stream& stream, int classes) {  // density ~ 1 / rank
  return 1 + std::min(classes - 1, static_cast<int>(std::pow(classes + 1., stream.uniform()) - 1));
}

std::array<double, 4> draw_box(Stream& stream) {
  const double size = 8 * std::pow(40., stream.uniform()), aspect = std::exp(stream.between(-.5, .5));
  const double w = std::min(size * aspect, kWidth - 1.), h = std::min(size / aspect, kHeight - 1.);
  return {stream.between(0, kWidth - w), stream.between(0, kHeight - h), w, h};
}

// A wavy ellipse in the box.
std::vector<double> outline(Stream& stream, const std::array<double, 4>& box, int points) {
  std::vector<double> xy;
  const double phase = stream.between(0, 6), waves = 3 + stream.below(5);
  for (int i = 0; i < points; ++i) {
    const double angle = 2 * std::numbers::pi * i / points, radius = .4 + .1 * std::sin(waves * angle + phase);
    xy.push_back(box[0] + box[2] * (.5 + radius * std::cos(angle)));
    xy.push_back(box[1] + box[3] * (.5 + radius * std::sin(angle)));
  }
  return xy;
}

std::vector<Instance> image_instances(const Options& options, int image) {
  Stream stream(1000 + image);
  const int64_t begin = options.instances * image / options.images,
                end = options.instances * (image + 1) / options.images;
  std::vector<Instance> out;
  std::vector<int> categories;
  for (int i = 0; i < 4; ++i) categories.push_back(draw_category(stream, options.classes));
  for (int64_t i = begin; i < end; ++i) out.push_back({categories[stream.below(4)], draw_box(stream)});
  return out;
}

void write_annotations(const Options& options) {
  Writer out(options.annotations);
  std::vector<int64_t> images_of(options.classes + 1, 0), instances_of(options.classes + 1, 0);
  out << "{\"info\": {\"description\": \"generated\"}, \"images\": [";
  for (int image = 0; image < options.images; ++image) {
    Stream stream(2000000000 + image);
    std::vector<int> present;
    for (const Instance& instance : image_instances(options, image)) {
      ++instances_of[instance.category];
      if (std::find(present.begin(), present.end(), instance.category) == present.end()) {
        present.push_back(instance.category);
      }
    }
    for (const int category : present) ++images_of[category];
    out << (image ? ", " : "") << "{\"id\": " << image + 1 << ", \"width\": " << kWidth << ", \"height\": " << kHeight
        << ", \"coco_url\": \"http://images.cocodataset.org/val2017/" << image + 1 << ".jpg\", \"license\": 1, "
        << "\"neg_category_ids\": [";
    bool first = true;
    for (int i = 0; i < 10; ++i) {
      const int category = draw_category(stream, options.classes);
      if (std::find(present.begin(), present.end(), category) != present.end()) continue;
      out << (first ? "" : ", ") << category;
      first = false;
    }
    out << "], \"not_exhaustive_category_ids\": [";
    if (!present.empty() && stream.uniform() < .3) out << present[0];
    out << "]}";
  }
  out << "], \"annotations\": [";
  int64_t id = 0;
  for (int image = 0; image < options.images; ++image) {
    for (const Instance& instance : image_instances(options, image)) {
      Stream stream(4000000000 + id);
      const auto& box = instance.box;
      out << (id ? ", " : "") << "{\"bbox\": [" << box[0] << ", " << box[1] << ", " << box[2] << ", " << box[3]
          << "], \"category_id\": " << instance.category << ", \"image_id\": " << image + 1 << ", \"id\": " << id + 1
          << ", \"segmentation\": [[";
      bool first = true;
      for (const double v : outline(stream, box, options.points)) {
        out << (first ? "" : ", ") << v;
        first = false;
      }
      out << "]], \"area\": " << box[2] * box[3] * .5 << "}";
      ++id;
    }
  }
  out << "], \"categories\": [";
  for (int c = 1; c <= options.classes; ++c) {
    const std::string_view letter = images_of[c] <= 10 ? "r" : images_of[c] <= 100 ? "c" : "f";
    out << (c > 1 ? ", " : "") << "{\"id\": " << c << ", \"name\": \"class_" << c << "\", \"frequency\": \"" << letter
        << "\", \"image_count\": " << images_of[c] << ", \"instance_count\": " << instances_of[c] << "}";
  }
  out << "]}\n";
  out.close();
}

void write_results(const Options& options) {
  Writer out(options.results);
  out << "[";
  bool first = true;
  for (int image = 0; image < options.images; ++image) {
    const std::vector<Instance> instances = image_instances(options, image);
    for (int d = 0; d < options.detections; ++d) {
      Stream stream(8000000000 + int64_t{image} * options.detections + d);
      Instance found{draw_category(stream, options.classes), draw_box(stream)};
      double score = std::pow(stream.uniform(), 3);
      if (!instances.empty() && stream.uniform() < .4) {
        found = instances[stream.below(static_cast<int>(instances.size()))];
        found.box[0] += found.box[2] * stream.between(-.1, .1);
        found.box[1] += found.box[3] * stream.between(-.1, .1);
        score = std::sqrt(score);
      }
      out << (first ? "" : ", ") << "{\"image_id\": " << image + 1 << ", \"category_id\": " << found.category;
      first = false;
      if (options.boxes) {
        out << ", \"bbox\": [" << found.box[0] << ", " << found.box[1] << ", " << found.box[2] << ", " << found.box[3]
            << "]";
      }
      char digits[32];
      out << ", \"score\": "
          << std::string_view(digits, static_cast<size_t>(std::snprintf(digits, sizeof digits, "%.5f", score)));
      if (options.masks) {
        const tailseg::Rle rle = tailseg::polygon_to_rle(outline(stream, found.box, 24), kHeight, kWidth);
        std::string escaped;
        for (const char c : tailseg::rle_to_string(rle.counts)) {
          if (c == '\\') escaped += '\\';
          escaped += c;
        }
        out << ", \"segmentation\": {\"size\": [" << kHeight << ", " << kWidth << "], \"counts\": \"" << escaped
            << "\"}";
      }
      out << "}";
    }
  }
  out << "]\n";
  out.close();
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Annotation and results files of LVIS's size, for benchmarks.", "make_lvis_files");
  Options options;
  bool no_boxes = false, no_masks = false;
  app.add_option("--annotations", options.annotations, "annotation file to write");
  app.add_option("--results", options.results, "results file to write");
  app.add_option("--images", options.images, "photos")->capture_default_str();
  app.add_option("--instances", options.instances, "instances in all photos")->capture_default_str();
  app.add_option("--points", options.points, "points of an instance's polygon")->capture_default_str();
  app.add_option("--detections", options.detections, "detections of a photo")->capture_default_str();
  app.add_option("--classes", options.classes, "categories")->capture_default_str();
  app.add_flag("--no-boxes", no_boxes, "results without bbox");
  app.add_flag("--no-masks", no_masks, "results without segmentation");
  app.footer("Example:\n  make_lvis_files --annotations val.json --results results.json --no-masks");
  return tailseg::run_program(app, argc, argv, [&] {
    options.boxes = !no_boxes;
    options.masks = !no_masks;
    if (!options.annotations.empty()) write_annotations(options);
    if (!options.results.empty()) write_results(options);
  });
}
