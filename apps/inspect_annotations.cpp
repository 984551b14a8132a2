#include "apps/inspect_annotations.h"

#include <rapidjson/prettywriter.h>
#include <rapidjson/stringbuffer.h>

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <map>
#include <ostream>

namespace tailseg {

namespace {

constexpr std::array<int64_t, 3> kBins = {10, 100, 1000};  // SimCal's, by train instances (METHODS 8.3)

int bin_of(int64_t instances) {
  return static_cast<int>(std::upper_bound(kBins.begin(), kBins.end(), instances) - kBins.begin());
}

std::string bar(int64_t value, int64_t largest) {  // logarithmic: a long tail is flat on a linear one
  if (value <= 0) return "";
  const double share = std::log2(1. + static_cast<double>(value)) / std::log2(1. + static_cast<double>(largest));
  return std::string(static_cast<size_t>(std::lround(40 * share)), '#');
}

void print_class(const AnnotationSet& set, const ClassCount& count, int64_t largest, std::ostream& out) {
  const Category& category = set.categories[count.label];
  out << "  " << std::setw(6) << category.id << "  " << (category.frequency ? category.frequency : ' ') << "  "
      << std::left << std::setw(24) << category.name.substr(0, 24) << std::right << std::setw(8) << count.instances
      << std::setw(8) << count.images << "  " << bar(count.instances, largest) << "\n";
}

void print_classes(const AnnotationSet& set, const AnnotationSummary& summary, int limit, std::ostream& out) {
  const auto& classes = summary.classes;
  if (classes.empty()) return;
  out << "classes (id, frequency, name, instances, images)\n";
  const size_t ends = limit > 0 ? static_cast<size_t>(limit) : classes.size();
  const size_t present = static_cast<size_t>(
      std::count_if(classes.begin(), classes.end(), [](const ClassCount& c) { return c.instances > 0; }));
  for (size_t i = 0; i < classes.size(); ++i) {
    if (i == ends && classes.size() > 2 * ends) {
      out << "  ... " << classes.size() - 2 * ends << " more, " << classes.size() - present << " of " << classes.size()
          << " without an instance (--limit 0 lists all)\n";
      i = classes.size() - ends;
    }
    print_class(set, classes[i], classes[0].instances, out);
  }
}

void print_groups(const AnnotationSet& set, const AnnotationSummary& summary, std::ostream& out) {
  std::map<char, std::array<int64_t, 3>> groups;  // categories, present, instances
  for (const ClassCount& count : summary.classes) {
    const char letter = set.categories[count.label].frequency;
    if (!letter) continue;
    auto& [categories, present, instances] = groups[letter];
    ++categories;
    present += count.instances > 0;
    instances += count.instances;
  }
  for (const char letter : {'r', 'c', 'f'}) {
    if (!groups.count(letter)) continue;
    const auto& [categories, present, instances] = groups[letter];
    out << "frequency " << letter << "    " << categories << " categories, " << present << " present, " << instances
        << " instances\n";
  }
  const bool known = std::any_of(set.categories.begin(), set.categories.end(),
                                 [](const Category& c) { return c.instance_count >= 0; });
  std::array<int64_t, 4> bins{};
  for (const ClassCount& count : summary.classes) {
    ++bins[bin_of(known ? set.categories[count.label].instance_count : count.instances)];
  }
  out << "instance bins  " << bins[0] << " categories below 10, " << bins[1] << " below 100, " << bins[2]
      << " below 1000, " << bins[3] << " above (" << (known ? "instance_count" : "counted in this file") << ")\n";
}

void print_problems(const AnnotationSet& set, int limit, std::ostream& out) {
  out << "problems       " << set.problems.size() << "\n";
  std::map<ProblemKind, int64_t> listed, counts;
  for (const Problem& problem : set.problems) ++counts[problem.kind];
  for (const Problem& problem : set.problems) {
    if (limit > 0 && ++listed[problem.kind] > limit) continue;
    out << "  " << problem_name(problem.kind) << ": " << set.path << ": ";
    if (problem.annotation_id >= 0) out << "annotation " << problem.annotation_id << ", ";
    out << "image " << problem.image_id << ": " << problem.text << "\n";
  }
  for (const auto& [kind, count] : counts) {
    if (limit > 0 && count > limit) out << "  ... " << count - limit << " more of " << problem_name(kind) << "\n";
  }
}

using Json = rapidjson::PrettyWriter<rapidjson::StringBuffer>;

void number(Json& json, const char* key, int64_t value) {
  json.Key(key);
  json.Int64(value);
}

void string(Json& json, const char* key, const std::string& value) {
  json.Key(key);
  json.String(value.c_str(), static_cast<rapidjson::SizeType>(value.size()));
}

void write_classes(Json& json, const AnnotationSet& set, const AnnotationSummary& summary) {
  json.Key("classes");
  json.StartArray();
  for (const ClassCount& count : summary.classes) {
    const Category& category = set.categories[count.label];
    json.StartObject();
    number(json, "id", category.id);
    string(json, "name", category.name);
    if (category.frequency) string(json, "frequency", std::string(1, category.frequency));
    number(json, "instances", count.instances);
    number(json, "images", count.images);
    json.EndObject();
  }
  json.EndArray();
}

void write_problems(Json& json, const AnnotationSet& set) {
  json.Key("problems");
  json.StartArray();
  for (const Problem& problem : set.problems) {
    json.StartObject();
    string(json, "kind", problem_name(problem.kind));
    if (problem.annotation_id >= 0) number(json, "annotation_id", problem.annotation_id);
    number(json, "image_id", problem.image_id);
    string(json, "text", problem.text);
    json.EndObject();
  }
  json.EndArray();
}

}  // namespace

AnnotationSummary summarise_annotations(const AnnotationSet& set) {
  const Annotations& all = set.annotations;
  AnnotationSummary out;
  for (int32_t label = 0; label < set.class_count(); ++label) out.classes.push_back({label, 0, 0});
  std::vector<int32_t> last_image(out.classes.size(), -1);
  for (int32_t image = 0; image < set.images.size(); ++image) {
    out.images_with_annotations += !set.by_image[image].empty();
    for (const int32_t a : set.by_image[image]) {
      out.targets += is_training_target(set, a);
      out.crowds += all.crowd[a];
      out.ignored += all.ignore[a];
      out.with_rle += all.has_rle(a);
      out.with_polygons += all.polygon_count(a) > 0;
      out.without_mask += !all.has_mask(a);
      if (all.crowd[a]) continue;
      ++out.sizes[all.area[a] < 32 * 32 ? 0 : all.area[a] < 96 * 96 ? 1 : 2];
      const int32_t label = all.label[a];
      ++out.classes[label].instances;
      out.classes[label].images += last_image[label] != image;
      last_image[label] = image;
    }
  }
  std::stable_sort(out.classes.begin(), out.classes.end(),
                   [](const ClassCount& a, const ClassCount& b) { return a.instances > b.instances; });
  return out;
}

void print_annotations(const AnnotationSet& set, int limit, std::ostream& out) {
  const AnnotationSummary summary = summarise_annotations(set);
  const auto present = std::count_if(summary.classes.begin(), summary.classes.end(),
                                     [](const ClassCount& c) { return c.instances > 0; });
  out << set.path << ": " << (set.lvis ? "LVIS" : "COCO") << " annotation file\n"
      << "images         " << set.images.size() << " (" << set.images.size() - summary.images_with_annotations
      << " without an annotation)\n"
      << "annotations    " << set.annotations.size() << " (" << summary.targets << " to train on, " << summary.crowds
      << " crowd, " << summary.ignored << " ignored)\n"
      << "masks          " << summary.with_polygons << " of polygons, " << summary.with_rle << " of runs, "
      << summary.without_mask << " missing\n"
      << "sizes          " << summary.sizes[0] << " small, " << summary.sizes[1] << " medium, " << summary.sizes[2]
      << " large\n"
      << "categories     " << set.class_count() << " (" << present << " present)\n";
  print_groups(set, summary, out);
  print_problems(set, limit, out);
  print_classes(set, summary, limit, out);
}

std::string annotations_json(const AnnotationSet& set) {
  const AnnotationSummary summary = summarise_annotations(set);
  rapidjson::StringBuffer buffer;
  Json json(buffer);
  json.SetIndent(' ', 1);
  json.StartObject();
  string(json, "file", set.path);
  string(json, "kind", set.lvis ? "lvis" : "coco");
  number(json, "images", set.images.size());
  number(json, "images_without_annotations", set.images.size() - summary.images_with_annotations);
  number(json, "annotations", set.annotations.size());
  number(json, "training_targets", summary.targets);
  number(json, "crowds", summary.crowds);
  number(json, "ignored", summary.ignored);
  number(json, "polygon_masks", summary.with_polygons);
  number(json, "rle_masks", summary.with_rle);
  number(json, "without_mask", summary.without_mask);
  number(json, "small", summary.sizes[0]);
  number(json, "medium", summary.sizes[1]);
  number(json, "large", summary.sizes[2]);
  number(json, "categories", set.class_count());
  write_problems(json, set);
  write_classes(json, set, summary);
  json.EndObject();
  return std::string(buffer.GetString(), buffer.GetSize()) + "\n";
}

}  // namespace tailseg
