#include "datasets/image_folder.h"

#include <algorithm>
#include <cctype>
#include <filesystem>

#include "tensor/error.h"

namespace tailseg {
namespace {

bool is_photo_name(const std::filesystem::path& path) {
  std::string ending = path.extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(), [](unsigned char c) { return std::tolower(c); });
  return ending == ".jpg" || ending == ".jpeg" || ending == ".png";
}

void append_folder(const std::string& folder, std::vector<std::string>& files) {
  std::error_code error;
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (is_photo_name(entry.path()) && !entry.is_directory()) found.push_back(entry.path().string());
  }
  TS_CHECK(!error, "reading folder ", folder, ": ", error.message());
  std::sort(found.begin(), found.end());
  files.insert(files.end(), found.begin(), found.end());
}

}  // namespace

AnnotationSet photo_set(const std::vector<std::string>& paths, const DecodeOptions& options,
                        std::vector<std::string>* skipped) {
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    TS_CHECK(std::filesystem::exists(path), "reading photos: ", path, " does not exist");
    if (std::filesystem::is_directory(path)) {
      append_folder(path, files);
    } else {
      files.push_back(path);
    }
  }
  AnnotationSet set;
  set.path = paths.empty() ? "" : paths.front();
  std::vector<uint8_t> bytes;
  for (const std::string& file : files) {
    ImageInfo info;
    try {
      read_file_bytes(file, options.max_file_bytes, bytes);
      info = probe_image(bytes, file, options);
    } catch (const Error& error) {
      if (!skipped) throw;
      skipped->push_back(error.what());
      continue;
    }
    const bool turned = options.apply_exif_orientation && info.orientation >= 5;
    Images& images = set.images;
    const int32_t index = images.size();
    images.id.push_back(index + 1);
    images.width.push_back(static_cast<int32_t>(turned ? info.height : info.width));
    images.height.push_back(static_cast<int32_t>(turned ? info.width : info.height));
    images.file.push_back(file);
    images.negative.end_list();
    images.not_exhaustive.end_list();
    images.index_of[index + 1] = index;
    set.by_image.end_list();
  }
  TS_CHECK(set.images.size() > 0, "reading photos: no usable .jpg, .jpeg or .png file was found",
           paths.empty() ? "" : " in " + paths.front());
  return set;
}

}  // namespace tailseg
