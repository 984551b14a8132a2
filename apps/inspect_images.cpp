#include "apps/inspect_images.h"

#include <rapidjson/prettywriter.h>
#include <rapidjson/stringbuffer.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <ostream>
#include <thread>

#include "datasets/image_container.h"
#include "datasets/image_decode.h"
#include "datasets/image_folder.h"
#include "datasets/utf8_text.h"
#include "tensor/error.h"

namespace tailseg {
namespace {

constexpr std::array<int64_t, 4> kSides = {320, 640, 1280, 2560};

// What one photo turned out to be; a problem leaves the rest empty.
struct PhotoFacts {
  std::string kind, problem;
  ImageInfo info;
  int64_t bytes = 0;
};

std::string kind_name(ImageKind kind, int channels) {
  constexpr const char* kChannels[] = {"grey", "grey + alpha", "colour", "four channels"};
  return text(kind == ImageKind::kJpeg ? "JPEG, " : "PNG, ", kChannels[std::clamp(channels, 1, 4) - 1]);
}

// `width` and `height`: what the upright photo should have, 0 if nobody says.
PhotoFacts look_at(const std::string& file, int64_t width, int64_t height, std::vector<uint8_t>& bytes) {
  PhotoFacts facts;
  const DecodeOptions options;
  try {
    read_file_bytes(file, options.max_file_bytes, bytes);
    facts.info = probe_image(bytes, file, options);
    const Image photo = decode_image(bytes, file, options);
    facts.kind = kind_name(scan_image_container(bytes, file).kind, facts.info.channels);
    facts.bytes = static_cast<int64_t>(bytes.size());
    if (width > 0 && (photo.width != width || photo.height != height)) {
      facts.problem = text(file, ": it has ", photo.width, " x ", photo.height, " pixels, the annotation file says ",
                           width, " x ", height);
    }
  } catch (const Error& error) {
    facts.problem = error.what();
  }
  return facts;
}

void add(PhotoReport& report, const PhotoFacts& facts) {
  const int64_t width = facts.info.width, height = facts.info.height, pixels = width * height;
  if (report.photos == 0 || pixels < report.smallest[0] * report.smallest[1]) {
    report.smallest[0] = width, report.smallest[1] = height;
  }
  if (pixels > report.largest[0] * report.largest[1]) report.largest[0] = width, report.largest[1] = height;
  ++report.photos;
  ++report.kinds[facts.kind];
  if (facts.info.orientation != 1) ++report.orientations[facts.info.orientation];
  const int64_t side = std::max(width, height);
  ++report.longer_side[static_cast<size_t>(std::lower_bound(kSides.begin(), kSides.end(), side) - kSides.begin())];
  report.bytes += facts.bytes;
}

// look(i, scratch) for every photo, on all threads; facts in the photos' order.
template <class Look>
std::vector<PhotoFacts> look_at_all(size_t count, Look&& look) {
  std::vector<PhotoFacts> facts(count);
  std::atomic<size_t> next = 0;
  std::vector<std::exception_ptr> failures(std::min<size_t>(count, std::max(1u, std::thread::hardware_concurrency())));
  {
    std::vector<std::jthread> threads;
    for (std::exception_ptr& failure : failures) {
      threads.emplace_back([&] {
        std::vector<uint8_t> scratch;
        try {
          for (size_t i = next++; i < count; i = next++) facts[i] = look(i, scratch);
        } catch (...) {
          failure = std::current_exception();
        }
      });
    }
  }
  for (const std::exception_ptr& failure : failures) {
    if (failure) std::rethrow_exception(failure);
  }
  return facts;
}

using Json = rapidjson::PrettyWriter<rapidjson::StringBuffer>;

void text_of(Json& json, const std::string& value) {
  const std::string valid = utf8_text(value);
  json.String(valid.data(), static_cast<rapidjson::SizeType>(valid.size()));
}

void size_of(Json& json, const char* key, const int64_t (&size)[2]) {
  json.Key(key);
  json.StartArray();
  json.Int64(size[0]);
  json.Int64(size[1]);
  json.EndArray();
}

}  // namespace

PhotoReport inspect_photos(const std::string& path) {
  std::vector<std::string> left_out;
  const std::vector<std::string> files = photo_files({path}, &left_out);
  const auto facts = look_at_all(
      files.size(), [&](size_t i, std::vector<uint8_t>& scratch) { return look_at(files[i], 0, 0, scratch); });
  PhotoReport report;
  report.path = path;
  for (size_t i = 0; i < files.size(); ++i) {
    if (facts[i].problem.empty()) {
      add(report, facts[i]);
    } else {
      report.problems.push_back({files[i], facts[i].problem, -1});
    }
  }
  for (const std::string& file : left_out) report.problems.push_back({file, "only JPEG and PNG are read", -1});
  return report;
}

PhotoReport inspect_photos_of(const AnnotationSet& set, const std::string& folder) {
  const Images& images = set.images;
  const auto path = [&](size_t i) { return folder.empty() ? images.file[i] : folder + "/" + images.file[i]; };
  const auto facts = look_at_all(images.file.size(), [&](size_t i, std::vector<uint8_t>& scratch) {
    if (images.file[i].empty()) return PhotoFacts{"", "the annotation file does not name it", {}, 0};
    return look_at(path(i), images.width[i], images.height[i], scratch);
  });
  PhotoReport report;
  report.path = folder;
  for (size_t i = 0; i < images.file.size(); ++i) {
    if (!facts[i].kind.empty()) add(report, facts[i]);
    if (!facts[i].problem.empty()) report.problems.push_back({path(i), facts[i].problem, images.id[i]});
  }
  return report;
}

void print_photos(const PhotoReport& report, int limit, std::ostream& out) {
  out << report.path << ": photos\n"
      << "photos         " << report.photos << " can be read, " << report.bytes / 1000 << " kB\n";
  for (const auto& [kind, count] : report.kinds) out << "  " << kind << ": " << count << "\n";
  if (report.photos > 0) {
    out << "sizes          " << report.smallest[0] << " x " << report.smallest[1] << " to " << report.largest[0]
        << " x " << report.largest[1] << "\n  longer side";
    for (size_t i = 0; i < kSides.size(); ++i) out << " up to " << kSides[i] << ": " << report.longer_side[i] << ",";
    out << " above: " << report.longer_side[kSides.size()] << "\n";
  }
  for (const auto& [orientation, count] : report.orientations) {
    out << "turned         " << count << " by EXIF orientation " << orientation << "\n";
  }
  out << "problems       " << report.problems.size() << "\n";
  for (size_t i = 0; i < report.problems.size(); ++i) {
    if (limit > 0 && i == static_cast<size_t>(limit)) {
      out << "  ... " << report.problems.size() - i << " more (--limit 0 lists all)\n";
      break;
    }
    if (report.problems[i].image_id >= 0) out << "  image " << report.problems[i].image_id << ": ";
    out << (report.problems[i].image_id >= 0 ? "" : "  ") << report.problems[i].text << "\n";
  }
}

std::string photos_json(const PhotoReport& report) {
  rapidjson::StringBuffer buffer;
  Json json(buffer);
  json.SetIndent(' ', 1);
  json.SetFormatOptions(rapidjson::kFormatSingleLineArray);
  json.StartObject();
  json.Key("folder");
  text_of(json, report.path);
  json.Key("photos");
  json.Int64(report.photos);
  json.Key("bytes");
  json.Int64(report.bytes);
  json.Key("kinds");
  json.StartObject();
  for (const auto& [kind, count] : report.kinds) {
    text_of(json, kind);
    json.Int64(count);
  }
  json.EndObject();
  size_of(json, "smallest", report.smallest);
  size_of(json, "largest", report.largest);
  json.Key("problems");
  json.StartArray();
  for (const PhotoProblem& problem : report.problems) {
    json.StartObject();
    json.Key("file");
    text_of(json, problem.file);
    if (problem.image_id >= 0) {
      json.Key("image_id");
      json.Int64(problem.image_id);
    }
    json.Key("text");
    text_of(json, problem.text);
    json.EndObject();
  }
  json.EndArray();
  json.EndObject();
  return std::string(buffer.GetString(), buffer.GetSize()) + "\n";
}

}  // namespace tailseg
