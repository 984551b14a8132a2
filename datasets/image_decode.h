// JPEG and PNG files to 8-bit RGB, through stb_image.
//
// Every picture becomes RGB: grey is copied to three channels, alpha is dropped (not blended; Pillow's convert("RGB")
// does the same), 16-bit samples keep their high byte, palettes are expanded, CMYK JPEGs are converted. Differences
// from libjpeg's inverse transform are at most a few grey levels. Feed it files you have reason to trust: sizes and
// containers are checked first, allocations are capped, and the decoder is fuzzed, but Debian's stb_image 2.27 predates
// upstream's hardening of 2023.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/image.h"

namespace tailseg {

struct DecodeOptions {
  int64_t max_pixels = int64_t{64} << 20;       // width * height, checked against the header before decoding
  int64_t max_file_bytes = int64_t{256} << 20;  // at most 2^31 - 1
  bool apply_exif_orientation = true;           // see image_exif.h
};

struct ImageInfo {
  int64_t width = 0;  // as stored in the file, before any turning
  int64_t height = 0;
  int channels = 0;     // as stored: 1 grey, 2 grey + alpha, 3 colour, 4 colour + alpha or CMYK
  int orientation = 1;  // EXIF
};

// Reads a header only. `name` appears in messages. Throws Error as decode_image does, except for damage in the pixels.
ImageInfo probe_image(std::span<const uint8_t> bytes, const std::string& name, const DecodeOptions& options = {});

// Throws Error, naming `name`, for bytes that are not a whole JPEG or PNG, a picture larger than the limits, or pixels
// that do not decode.
Image decode_image(std::span<const uint8_t> bytes, const std::string& name, const DecodeOptions& options = {});

// The same for a file. A file that is missing, not readable or larger than max_file_bytes is an Error too.
Image read_image(const std::string& path, const DecodeOptions& options = {});

// A whole file into `bytes` (its storage is reused), refused beyond `max_bytes`. `kind` names it in messages.
void read_file_bytes(const std::string& path, int64_t max_bytes, std::vector<uint8_t>& bytes,
                     std::string_view kind = "image");

}  // namespace tailseg
