// JPEG: ITU T.81 annex B (a file is SOI, then segments FF xx length payload; entropy-coded data follows an SOS segment
// and contains FF only as FF 00 or as a restart marker). PNG: ISO/IEC 15948 section 5 (length, type, data, CRC-32).
#include "datasets/image_container.h"

#include <array>
#include <cstring>
#include <string_view>

#include "tensor/error.h"

namespace tailseg {
namespace {

using Bytes = std::span<const uint8_t>;

constexpr std::array<std::array<uint32_t, 256>, 4> make_crc_tables() {  // four tables: four bytes a step
  std::array<std::array<uint32_t, 256>, 4> tables{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t value = byte;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) ? 0xEDB88320u : 0u);
    tables[0][byte] = value;
  }
  for (uint32_t byte = 0; byte < 256; ++byte) {
    for (size_t t = 1; t < 4; ++t) tables[t][byte] = (tables[t - 1][byte] >> 8) ^ tables[0][tables[t - 1][byte] & 255];
  }
  return tables;
}
constexpr auto kCrcTables = make_crc_tables();

uint32_t big_endian_32(Bytes bytes, size_t at) {
  return uint32_t{bytes[at]} << 24 | uint32_t{bytes[at + 1]} << 16 | uint32_t{bytes[at + 2]} << 8 | bytes[at + 3];
}

bool starts_with(Bytes bytes, std::string_view prefix) {
  return bytes.size() >= prefix.size() && std::memcmp(bytes.data(), prefix.data(), prefix.size()) == 0;
}

constexpr std::string_view kExifPrefix("Exif\0\0", 6);
constexpr std::string_view kPngSignature("\x89PNG\r\n\x1a\n", 8);

// The position of the next real marker's code byte at or after `at` in entropy-coded data, or bytes.size().
size_t skip_entropy_coded(Bytes bytes, size_t at) {
  while (at + 1 < bytes.size()) {
    const void* found = std::memchr(bytes.data() + at, 0xFF, bytes.size() - 1 - at);
    if (!found) break;
    at = static_cast<size_t>(static_cast<const uint8_t*>(found) - bytes.data()) + 1;
    const uint8_t code = bytes[at];
    if (code != 0x00 && code != 0xFF && !(code >= 0xD0 && code <= 0xD7)) return at;
    if (code == 0x00) ++at;  // a stuffed byte; FF FF is fill, and its second byte may begin a marker
  }
  return bytes.size();
}

// Huffman tables as a decoder will use them. stb_image trusts that a table has at most 256 codes and that a scan names
// defined tables only; a hostile file need not oblige.
struct HuffmanTables {
  bool defined[2][4] = {};  // [DC, AC][id]
  bool progressive = false;

  // A DHT segment: any number of (class and id, 16 counts of codes by length, values). T.81 B.2.4.2, C.2.
  bool define(Bytes segment) {
    while (!segment.empty()) {
      if (segment.size() < 17 || segment[0] >> 4 > 1 || (segment[0] & 15) > 3) return false;
      size_t codes = 0;
      uint32_t next_code = 0;
      for (int length = 1; length <= 16; ++length) {
        codes += segment[length];
        next_code = (next_code << 1) + segment[length];
        if (next_code > 1u << length) return false;  // more codes than bits can tell apart
      }
      if (codes > 256 || segment.size() < 17 + codes) return false;
      defined[segment[0] >> 4][segment[0] & 15] = true;
      segment = segment.subspan(17 + codes);
    }
    return true;
  }

  // An SOS segment: count, (component, table ids) each, first and last coefficient, bit positions. T.81 B.2.3.
  bool allow(Bytes scan) const {
    if (scan.empty() || scan[0] < 1 || scan[0] > 4 || scan.size() != size_t{4} + 2 * scan[0]) return false;
    const bool needs_ac = !progressive || scan[scan.size() - 3] > 0;
    const bool needs_dc = !progressive || scan[scan.size() - 3] == 0;
    for (size_t i = 0; i < scan[0]; ++i) {
      const size_t dc = scan[2 + 2 * i] >> 4, ac = scan[2 + 2 * i] & 15;
      if (dc > 3 || ac > 3 || (needs_dc && !defined[0][dc]) || (needs_ac && !defined[1][ac])) return false;
    }
    return true;
  }
};

ImageContainer scan_jpeg(Bytes bytes, const std::string& name) {
  ImageContainer result;
  HuffmanTables tables;
  bool scan_seen = false;
  size_t at = 2;
  while (true) {
    while (at < bytes.size() && bytes[at] != 0xFF) ++at;  // decoders skip stray bytes between segments
    while (at < bytes.size() && bytes[at] == 0xFF) ++at;
    TS_CHECK(at < bytes.size(), "reading image ", name, ": the JPEG file is truncated (", bytes.size(),
             " bytes without an end-of-image marker); copy or download it again");
    const uint8_t code = bytes[at++];
    if (code == 0xD9) {
      TS_CHECK(scan_seen, "reading image ", name, ": the JPEG file ends before its first scan; it holds no pixels");
      return result;
    }
    if (code == 0x00 || code == 0x01 || (code >= 0xD0 && code <= 0xD8)) continue;  // markers without a payload
    const bool has_length = at + 2 <= bytes.size();
    const size_t length = has_length ? size_t{bytes[at]} << 8 | bytes[at + 1] : 0;
    TS_CHECK(has_length && length <= bytes.size() - at, "reading image ", name,
             ": the JPEG file is truncated inside a header segment (byte ", at, " of ", bytes.size(), ")");
    TS_CHECK(length >= 2, "reading image ", name, ": corrupt JPEG segment length ", length, " at byte ", at);
    const Bytes payload = bytes.subspan(at + 2, length - 2);
    at += length;
    if (code == 0xE1 && result.exif.empty() && starts_with(payload, kExifPrefix)) {
      result.exif = payload.subspan(kExifPrefix.size());
    } else if (code >= 0xC0 && code <= 0xCF && code != 0xC4 && code != 0xC8 && code != 0xCC) {
      TS_CHECK(payload.size() >= 6 && result.width == 0, "reading image ", name, ": corrupt JPEG frame before byte ",
               at);
      result.height = payload[1] << 8 | payload[2];
      result.width = payload[3] << 8 | payload[4];
      result.channels = payload[5];
      tables.progressive = code == 0xC2;
    } else if (code == 0xC4) {
      TS_CHECK(tables.define(payload), "reading image ", name, ": corrupt JPEG, bad Huffman table before byte ", at);
    } else if (code == 0xDA) {
      TS_CHECK(tables.allow(payload), "reading image ", name, ": corrupt JPEG, the scan before byte ", at,
               " is malformed or uses a Huffman table that was not defined");
      scan_seen = true;
      const size_t marker = skip_entropy_coded(bytes, at);
      at = marker == bytes.size() ? marker : marker - 1;
    }
  }
}

ImageContainer scan_png(Bytes bytes, const std::string& name) {
  constexpr int kChannels[8] = {1, 0, 3, 3,
                                2, 0, 4, 0};  // by colour type: grey, -, RGB, palette, grey + alpha, -, RGBA, -
  size_t at = kPngSignature.size();
  TS_CHECK(bytes.size() >= at + 25, "reading image ", name, ": the PNG file is truncated (", bytes.size(), " bytes)");
  TS_CHECK(starts_with(bytes.subspan(at + 4), "IHDR"), "reading image ", name,
           ": corrupt PNG, it must begin with IHDR");
  ImageContainer result{
      ImageKind::kPng, big_endian_32(bytes, at + 8), big_endian_32(bytes, at + 12), kChannels[bytes[at + 17] & 7], {}};
  while (true) {
    TS_CHECK(bytes.size() - at >= 12, "reading image ", name, ": the PNG file is truncated (", bytes.size(),
             " bytes without an IEND chunk); copy or download it again");
    const size_t length = big_endian_32(bytes, at);
    const std::string_view type(reinterpret_cast<const char*>(bytes.data() + at + 4), 4);
    TS_CHECK(length <= bytes.size() - at - 12, "reading image ", name,
             ": the PNG file is truncated in the chunk at byte ", at, " (", length, " bytes announced, ",
             bytes.size() - at - 12, " left)");
    const bool critical = (bytes[at + 4] & 0x20) == 0;
    if (critical) {
      const uint32_t expected = big_endian_32(bytes, at + 8 + length);
      const uint32_t found = crc32(bytes.subspan(at + 4, length + 4));
      TS_CHECK(found == expected, "reading image ", name, ": corrupt PNG, checksum of the chunk at byte ", at, " is ",
               std::hex, found, ", expected ", expected);
    }
    if (type == "eXIf" && result.exif.empty()) result.exif = bytes.subspan(at + 8, length);
    if (type == "IEND") return result;
    at += length + 12;
  }
}

}  // namespace

uint32_t crc32(Bytes bytes) {
  uint32_t crc = ~0u;
  size_t at = 0;
  for (; at + 4 <= bytes.size(); at += 4) {
    crc ^= uint32_t{bytes[at]} | uint32_t{bytes[at + 1]} << 8 | uint32_t{bytes[at + 2]} << 16 |
           uint32_t{bytes[at + 3]} << 24;
    crc = kCrcTables[3][crc & 255] ^ kCrcTables[2][crc >> 8 & 255] ^ kCrcTables[1][crc >> 16 & 255] ^
          kCrcTables[0][crc >> 24];
  }
  for (; at < bytes.size(); ++at) crc = (crc >> 8) ^ kCrcTables[0][(crc ^ bytes[at]) & 255];
  return ~crc;
}

ImageContainer scan_image_container(Bytes bytes, const std::string& name) {
  TS_CHECK(!bytes.empty(), "reading image ", name, ": the file is empty");
  if (starts_with(bytes, "\xFF\xD8\xFF")) return scan_jpeg(bytes, name);
  if (starts_with(bytes, kPngSignature)) return scan_png(bytes, name);
  fail("reading image ", name,
       ": neither a JPEG nor a PNG file (its first bytes are those of neither); convert it first");
}

}  // namespace tailseg
