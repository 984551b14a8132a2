#include "datasets/image_decode.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <limits>
#include <memory>

#include "datasets/image_container.h"
#include "datasets/image_exif.h"
#include "tensor/error.h"

namespace {

// The largest single block that stb_image may ask for while this thread decodes. An honest file never needs more than a
// few bytes per pixel at once; a PNG of one pixel whose stream inflates to gigabytes ends here as "outofmem".
thread_local size_t largest_block = 0;

// Zeroed, so that what a damaged file leaves unwritten is the same in every run.
void* limited_malloc(size_t bytes) { return bytes <= largest_block ? std::calloc(bytes, 1) : nullptr; }
void* limited_realloc(void* block, size_t bytes) {
  return bytes <= largest_block ? std::realloc(block, bytes) : nullptr;
}

}  // namespace

#define STBI_MALLOC(bytes) limited_malloc(bytes)
#define STBI_REALLOC(block, bytes) limited_realloc(block, bytes)
#define STBI_FREE(block) std::free(block)
#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_NO_STDIO
#define STBI_NO_HDR
#define STBI_NO_LINEAR
#define STBI_MAX_DIMENSIONS (1 << 24)
#define STB_IMAGE_STATIC
#define STB_IMAGE_IMPLEMENTATION
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#include <stb/stb_image.h>
#pragma GCC diagnostic pop

namespace tailseg {
namespace {

std::string megapixels(double pixels) { return text(pixels / 1e6, " megapixels"); }

void check_file_size(int64_t size, const std::string& name, int64_t max_bytes, std::string_view kind) {
  TS_CHECK(max_bytes > 0 && max_bytes <= std::numeric_limits<int>::max(), "reading ", kind, ' ', name,
           ": the file size limit is ", max_bytes, " bytes, expected 1 to 2^31 - 1");
  TS_CHECK(size <= max_bytes, "reading ", kind, ' ', name, ": the file has ", size, " bytes, more than the limit of ",
           max_bytes, "; raise the limit if the file is meant to be that large");
}

}  // namespace

ImageInfo probe_image(std::span<const uint8_t> bytes, const std::string& name, const DecodeOptions& options) {
  check_file_size(static_cast<int64_t>(bytes.size()), name, options.max_file_bytes, "image");
  const ImageContainer container = scan_image_container(bytes, name);
  const int64_t width = container.width, height = container.height;
  TS_CHECK(width > 0 && height > 0, "reading image ", name, ": its header says ", width, " x ", height);
  TS_CHECK(width <= options.max_pixels / height, "reading image ", name, ": its header announces ", width, " x ",
           height, " (", megapixels(static_cast<double>(width) * static_cast<double>(height)),
           "), more than the limit of ", megapixels(static_cast<double>(options.max_pixels)),
           "; shrink the image or raise the limit");
  return {width, height, container.channels, exif_orientation(container.exif)};
}

Image decode_image(std::span<const uint8_t> bytes, const std::string& name, const DecodeOptions& options) {
  const ImageInfo info = probe_image(bytes, name, options);
  // Per pixel at most 8 bytes (16-bit RGBA); JPEG pads to blocks of up to 32 x 32; PNG's inflate buffer may double
  // once.
  largest_block = static_cast<size_t>((info.width + 64) * (info.height + 64)) * 16 + (size_t{1} << 20);
  int width = 0, height = 0, channels = 0;
  const std::unique_ptr<stbi_uc, decltype(&std::free)> decoded(
      stbi_load_from_memory(bytes.data(), static_cast<int>(bytes.size()), &width, &height, &channels, 3), &std::free);
  TS_CHECK(decoded, "reading image ", name, ": its pixels do not decode (", stbi_failure_reason(),
           "); the file is corrupt or of a kind that is not supported");
  TS_CHECK(width == info.width && height == info.height, "reading image ", name, ": header says ", info.width, " x ",
           info.height, ", decoded ", width, " x ", height);
  Image image;
  image.width = width;
  image.height = height;
  image.pixels.assign(decoded.get(), decoded.get() + int64_t{width} * height * 3);
  return options.apply_exif_orientation ? apply_orientation(std::move(image), info.orientation) : image;
}

void read_file_bytes(const std::string& path, int64_t max_bytes, std::vector<uint8_t>& bytes, std::string_view kind) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  TS_CHECK(std::filesystem::exists(status), "reading ", kind, ' ', path, ": no such file");
  TS_CHECK(std::filesystem::is_regular_file(status), "reading ", kind, ' ', path, ": not a regular file");
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "rb"), &std::fclose);
  TS_CHECK(file, "reading ", kind, ' ', path, ": ", std::strerror(errno));
  const auto size = std::filesystem::file_size(path, error);
  TS_CHECK(!error, "reading ", kind, ' ', path, ": ", error.message());
  check_file_size(static_cast<int64_t>(size), path, max_bytes, kind);
  bytes.resize(size);
  const size_t got = std::fread(bytes.data(), 1, bytes.size(), file.get());
  TS_CHECK(got == bytes.size(), "reading ", kind, ' ', path, ": read ", got, " of ", bytes.size(), " bytes");
}

Image read_image(const std::string& path, const DecodeOptions& options) {
  thread_local std::vector<uint8_t> bytes;
  read_file_bytes(path, options.max_file_bytes, bytes);
  return decode_image(bytes, path, options);
}

}  // namespace tailseg
