#include "apps/inspect_sampler.h"

#include <rapidjson/prettywriter.h>
#include <rapidjson/stringbuffer.h>

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <map>
#include <ostream>
#include <sstream>

#include "apps/config/data_options.h"
#include "datasets/samplers/photo_sampler.h"

namespace tailseg {
namespace {

std::string settings_of(const SamplerConfig& s, int64_t batch) {
  std::ostringstream out;
  if (s.type == "repeat_factor") {
    out << "threshold " << s.threshold << ", exponent " << s.exponent << ", frequency by " << s.frequency
        << ", rounding " << s.rounding << ", ";
  }
  if (s.type == "class_balanced" || s.type == "bilevel") out << s.photos_per_class << " photos a class, ";
  if (s.type == "bilevel") out << "classes by min(photos, " << s.class_cap << ")^" << s.class_power << ", ";
  out << "batches of " << batch;
  return out.str();
}

SeenCount& operator+=(SeenCount& sum, const SeenCount& more) {
  sum.before += more.before;
  sum.expected += more.expected;
  sum.drawn += more.drawn;
  return sum;
}

std::ostream& operator<<(std::ostream& out, const SeenCount& count) {
  return out << std::setw(9) << count.before << std::setw(11) << std::fixed << std::setprecision(1) << count.expected
             << std::setw(9) << count.drawn;
}

// The name of a class's group: LVIS's letter, or without letters its bin by objects (METHODS 8.3).
std::string group_of(const Category& category, int64_t objects) {
  if (category.frequency) return std::string("frequency ") + category.frequency;
  return objects == 0     ? "0 objects"
         : objects < 10   ? "1 to 9"
         : objects < 100  ? "10 to 99"
         : objects < 1000 ? "100 to 999"
                          : "1000 and more";
}

void print_groups(const AnnotationSet& set, const SamplerReport& report, std::ostream& out) {
  struct Group {
    int64_t classes = 0;
    SeenCount photos, objects;
  };
  std::map<std::string, Group> groups;
  for (size_t c = 0; c < report.class_photos.size(); ++c) {
    Group& group = groups[group_of(set.categories[c], report.class_objects[c].before)];
    ++group.classes;
    group.photos += report.class_photos[c];
    group.objects += report.class_objects[c];
  }
  out << std::left << std::setw(38) << "groups, classes (sums over their classes)" << std::right << "\n";
  for (const char* name : {"frequency r", "frequency c", "frequency f", "0 objects", "1 to 9", "10 to 99", "100 to 999",
                           "1000 and more"}) {
    const auto found = groups.find(name);
    if (found == groups.end()) continue;
    out << "  " << std::left << std::setw(28) << name << std::right << std::setw(7) << found->second.classes
        << found->second.photos << "  " << found->second.objects << "\n";
  }
}

using Json = rapidjson::PrettyWriter<rapidjson::StringBuffer>;

void write_count(Json& json, const char* name, const SeenCount& count) {
  json.Key(name);
  json.StartObject();
  json.Key("before");
  json.Int64(count.before);
  json.Key("expected");
  json.Double(count.expected);
  json.Key("drawn");
  json.Int64(count.drawn);
  json.EndObject();
}

void write_text(Json& json, const char* name, const std::string& value) {
  json.Key(name);
  json.String(value.c_str(), static_cast<rapidjson::SizeType>(value.size()));
}

}  // namespace

SamplerReport inspect_sampler(const AnnotationSet& set, const Config& config, int64_t epoch) {
  const PhotoSamplerOptions options = sampler_options(config);
  const SamplerConfig& chosen = config.train.sampler;
  const PhotoSampler sampler = make_photo_sampler(chosen.type, set, options);
  SamplerReport report;
  report.sampler = chosen.type;
  for (const PhotoSamplerRow& row : photo_samplers()) {
    if (chosen.type == row.name) report.source = row.source;
  }
  report.settings = settings_of(chosen, options.batch_size);
  report.epoch = epoch;
  report.batch_size = options.batch_size;
  std::vector<int64_t> times(static_cast<size_t>(set.images.size()), 0);
  for (const int32_t i : sampler.order(epoch).images) ++times[static_cast<size_t>(i)];
  report.class_photos.resize(static_cast<size_t>(set.class_count()));
  report.class_objects.resize(static_cast<size_t>(set.class_count()));
  std::vector<int32_t> last(static_cast<size_t>(set.class_count()), -1);
  const std::vector<int32_t> drawable = trainable_images(set, options.rule, options.empty != EmptyPhotos::drop);
  for (const int32_t i : drawable) {
    const auto at = static_cast<size_t>(i);
    const SeenCount photo{1, sampler.expected[at], times[at]};
    report.photos += photo;
    report.most_shown = std::max(report.most_shown, times[at]);
    report.shown += times[at] > 0;
    for (const int32_t a : set.by_image[i]) {
      if (!is_drawn_for(set, a, options.rule)) continue;
      const auto c = static_cast<size_t>(set.annotations.label[static_cast<size_t>(a)]);
      report.class_objects[c] += photo;
      if (last[c] != i) report.class_photos[c] += photo;
      last[c] = i;
    }
  }
  return report;
}

void print_sampler(const AnnotationSet& set, const SamplerReport& report, int limit, std::ostream& out) {
  out << set.path << ": epoch " << report.epoch << " of sampler " << report.sampler << " (" << report.source << ")\n"
      << "settings       " << report.settings << "\n"
      << "photos         " << report.photos.before << " to draw from; " << std::fixed << std::setprecision(1)
      << report.photos.expected << " expected, " << report.photos.drawn << " drawn (" << report.shown
      << " different ones, one at most " << report.most_shown << " times)\n"
      << std::setw(37) << ""
      << "   photos: file, expected, drawn  objects: file, expected, drawn\n";
  print_groups(set, report, out);
  std::vector<size_t> order(report.class_photos.size());
  for (size_t c = 0; c < order.size(); ++c) order[c] = c;
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return report.class_objects[a].before > report.class_objects[b].before; });
  out << "classes (id, frequency, name)\n";
  const size_t ends = limit > 0 ? static_cast<size_t>(limit) : order.size();
  for (size_t i = 0; i < order.size(); ++i) {
    if (i == ends && order.size() > 2 * ends) {
      out << "  ... " << order.size() - 2 * ends << " more (--limit 0 lists all)\n";
      i = order.size() - ends;
    }
    const Category& category = set.categories[order[i]];
    out << "  " << std::setw(6) << category.id << "  " << (category.frequency ? category.frequency : ' ') << "  "
        << std::left << std::setw(24) << category.name.substr(0, 24) << std::right << report.class_photos[order[i]]
        << "  " << report.class_objects[order[i]] << "\n";
  }
}

std::string sampler_json(const AnnotationSet& set, const SamplerReport& report) {
  rapidjson::StringBuffer buffer;
  Json json(buffer);
  json.SetIndent(' ', 1);
  json.StartObject();
  write_text(json, "file", set.path);
  write_text(json, "sampler", report.sampler);
  write_text(json, "source", report.source);
  write_text(json, "settings", report.settings);
  json.Key("epoch");
  json.Int64(report.epoch);
  write_count(json, "photos", report.photos);
  json.Key("most_shown");
  json.Int64(report.most_shown);
  json.Key("shown");
  json.Int64(report.shown);
  json.Key("classes");
  json.StartArray();
  for (size_t c = 0; c < report.class_photos.size(); ++c) {
    json.StartObject();
    json.Key("id");
    json.Int64(set.categories[c].id);
    write_text(json, "name", set.categories[c].name);
    if (set.categories[c].frequency) write_text(json, "frequency", std::string(1, set.categories[c].frequency));
    write_count(json, "photos", report.class_photos[c]);
    write_count(json, "objects", report.class_objects[c]);
    json.EndObject();
  }
  json.EndArray();
  json.EndObject();
  return std::string(buffer.GetString(), buffer.GetSize()) + "\n";
}

}  // namespace tailseg
