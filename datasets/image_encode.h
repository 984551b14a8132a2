// 8-bit RGB to PNG (lossless) and baseline JPEG, through stb_image_write. The bytes depend on the pixels only.
#pragma once

#include <string>
#include <vector>

#include "datasets/image.h"

namespace tailseg {

std::vector<uint8_t> encode_png(const Image& image);

// quality 1 (smallest) to 100; chroma is subsampled up to 90.
std::vector<uint8_t> encode_jpeg(const Image& image, int quality = 92);

// Writes by the name's ending: .png, .jpg or .jpeg. Throws Error with the path for another ending or a failed write.
void write_image(const std::string& path, const Image& image, int jpeg_quality = 92);

}  // namespace tailseg
