// What the container of a JPEG or PNG file says, without decoding a pixel: which of the two it is, its size, where its
// EXIF block lies, and whether the file is whole. stb_image decodes a truncated JPEG to grey without a word and checks
// no PNG checksum; a training run must not learn from either, so this walk refuses them as Pillow does.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace tailseg {

enum class ImageKind { kJpeg, kPng };

struct ImageContainer {
  ImageKind kind = ImageKind::kJpeg;
  int64_t width = 0;  // as stored, before any turning
  int64_t height = 0;
  int channels = 0;               // as stored: 1 grey, 2 grey + alpha, 3 colour or palette, 4 colour + alpha or CMYK
  std::span<const uint8_t> exif;  // the TIFF structure inside, empty when there is none; points into the given bytes
};

// Throws Error with `name` when the bytes are neither JPEG nor PNG, when the file ends too early (JPEG: no end-of-image
// marker after a scan; PNG: no IEND chunk), when segments or chunks do not fit into each other, or when the checksum of
// a PNG chunk that matters to the pixels is wrong. Bytes after the end are ignored.
ImageContainer scan_image_container(std::span<const uint8_t> bytes, const std::string& name);

// CRC-32 of PNG and zlib (reflected 0xEDB88320). Public because the tests build PNG chunks.
uint32_t crc32(std::span<const uint8_t> bytes);

}  // namespace tailseg
