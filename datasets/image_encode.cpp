#include "datasets/image_encode.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "tensor/error.h"

#define STBI_WRITE_NO_STDIO
#define STB_IMAGE_WRITE_STATIC
#define STB_IMAGE_WRITE_IMPLEMENTATION
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#include <stb/stb_image_write.h>
#pragma GCC diagnostic pop

namespace tailseg {
namespace {

void append(void* context, void* data, int size) {
  auto& out = *static_cast<std::vector<uint8_t>*>(context);
  const auto* bytes = static_cast<const uint8_t*>(data);
  out.insert(out.end(), bytes, bytes + size);
}

void check_image(const Image& image) {
  TS_CHECK(image.width > 0 && image.height > 0 && image.width < 65536 && image.height < 65536 &&
               image.pixels.size() == static_cast<size_t>(image.width * image.height * 3),
           "encoding an image of ", image.width, " x ", image.height, " with ", image.pixels.size(),
           " bytes; expected sides 1 to 65535 and 3 bytes a pixel");
}

}  // namespace

std::vector<uint8_t> encode_png(const Image& image) {
  check_image(image);
  std::vector<uint8_t> out;
  const int width = static_cast<int>(image.width), height = static_cast<int>(image.height);
  TS_CHECK(stbi_write_png_to_func(append, &out, width, height, 3, image.pixels.data(), width * 3), "encoding a PNG of ",
           width, " x ", height, " failed");
  return out;
}

std::vector<uint8_t> encode_jpeg(const Image& image, int quality) {
  check_image(image);
  TS_CHECK(quality >= 1 && quality <= 100, "JPEG quality is ", quality, ", expected 1 to 100");
  std::vector<uint8_t> out;
  const int width = static_cast<int>(image.width), height = static_cast<int>(image.height);
  TS_CHECK(stbi_write_jpg_to_func(append, &out, width, height, 3, image.pixels.data(), quality), "encoding a JPEG of ",
           width, " x ", height, " failed");
  return out;
}

void write_image(const std::string& path, const Image& image, int jpeg_quality) {
  const std::string ending = std::filesystem::path(path).extension().string();
  const bool jpeg = ending == ".jpg" || ending == ".jpeg";
  TS_CHECK(jpeg || ending == ".png", "writing image ", path, ": the name must end in .png, .jpg or .jpeg");
  const std::vector<uint8_t> bytes = jpeg ? encode_jpeg(image, jpeg_quality) : encode_png(image);
  FILE* file = std::fopen(path.c_str(), "wb");
  TS_CHECK(file, "writing image ", path, ": ", std::strerror(errno));
  const bool written = std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size();
  const bool closed = std::fclose(file) == 0;
  TS_CHECK(written && closed, "writing image ", path, ": ", std::strerror(errno));
}

}  // namespace tailseg
