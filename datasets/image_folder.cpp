#include "datasets/image_folder.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <set>

#include "tensor/error.h"

namespace tailseg {
namespace {

bool ends_in(const std::string& path, const std::set<std::string>& endings) {
  std::string ending = std::filesystem::path(path).extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(), [](unsigned char c) { return std::tolower(c); });
  return endings.count(ending) > 0;
}

void append_folder(const std::string& folder, std::vector<std::string>& files, std::vector<std::string>* left_out) {
  std::error_code error, unreadable;
  std::vector<std::string> found;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const std::string path = entry->path().string();
    if (is_photo_name(path) && !entry->is_directory(unreadable)) found.push_back(path);
    if (left_out && ends_in(path, {".gif", ".webp", ".bmp", ".tif", ".tiff"})) left_out->push_back(path);
  }
  TS_CHECK(!error, "reading folder ", folder, ": ", error.message());
  TS_CHECK(!found.empty(), "reading photos: the folder ", folder,
           " holds no .jpg, .jpeg or .png file (sub-folders are not entered)");
  std::sort(found.begin(), found.end());
  files.insert(files.end(), found.begin(), found.end());
}

}  // namespace

bool is_photo_name(const std::string& path) { return ends_in(path, {".jpg", ".jpeg", ".png"}); }

std::vector<std::string> photo_files(const std::vector<std::string>& paths, std::vector<std::string>* left_out) {
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    std::error_code error;
    const std::filesystem::file_status status = std::filesystem::status(path, error);
    TS_CHECK(std::filesystem::exists(status), "reading photos: ", path, ": ",
             error ? error.message() : "No such file or directory");
    if (std::filesystem::is_directory(status)) {
      append_folder(path, files, left_out);
    } else {
      files.push_back(path);
    }
  }
  if (left_out) std::sort(left_out->begin(), left_out->end());
  return files;
}

AnnotationSet photo_set(const std::vector<std::string>& paths, const DecodeOptions& options,
                        std::vector<std::string>* skipped) {
  const std::vector<std::string> files = photo_files(paths);
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
