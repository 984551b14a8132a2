// The files under tests/golden/images were written with Pillow and OpenCV from the formula in expected_rgb (23 x 17):
// JPEGs at quality 95 without chroma subsampling unless the name says otherwise, orientation_N with EXIF orientation N.
#include "datasets/image_decode.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "datasets/image_container.h"
#include "datasets/image_encode.h"
#include "datasets/image_exif.h"
#include "tensor/error.h"

using namespace tailseg;
using Catch::Matchers::Contains;

namespace {

constexpr int64_t kWidth = 23, kHeight = 17;

Image expected_rgb() {
  Image image(kWidth, kHeight);
  for (int64_t y = 0; y < kHeight; ++y) {
    for (int64_t x = 0; x < kWidth; ++x) {
      uint8_t* pixel = image.row(y) + x * 3;
      pixel[0] = static_cast<uint8_t>(x * 11);
      pixel[1] = static_cast<uint8_t>(y * 15);
      pixel[2] = static_cast<uint8_t>(x * 5 + y * 9);
    }
  }
  return image;
}

std::string golden(const std::string& name) { return std::string(TAILSEG_GOLDEN_DIR) + "/images/" + name; }

std::vector<uint8_t> golden_bytes(const std::string& name) {
  std::vector<uint8_t> bytes;
  read_file_bytes(golden(name), 1 << 20, bytes);
  return bytes;
}

int largest_difference(const Image& a, const Image& b) {
  REQUIRE(a.width == b.width);
  REQUIRE(a.height == b.height);
  int largest = 0;
  for (size_t i = 0; i < a.pixels.size(); ++i) largest = std::max(largest, std::abs(a.pixels[i] - b.pixels[i]));
  return largest;
}

double mean_difference(const Image& a, const Image& b) {
  REQUIRE(a.pixels.size() == b.pixels.size());
  double sum = 0;
  for (size_t i = 0; i < a.pixels.size(); ++i) sum += std::abs(a.pixels[i] - b.pixels[i]);
  return sum / static_cast<double>(a.pixels.size());
}

uint8_t luminance(const uint8_t* p) {  // Pillow's convert("L")
  return static_cast<uint8_t>((p[0] * 19595 + p[1] * 38470 + p[2] * 7471 + 0x8000) >> 16);
}

void put_32(std::vector<uint8_t>& bytes, size_t at, uint32_t value) {
  for (size_t i = 0; i < 4; ++i) bytes[at + i] = static_cast<uint8_t>(value >> (24 - 8 * i));
}

// A PNG whose header announces other sides; the checksum is made right again.
std::vector<uint8_t> png_with_sides(uint32_t width, uint32_t height) {
  std::vector<uint8_t> bytes = golden_bytes("rgb.png");
  put_32(bytes, 16, width);
  put_32(bytes, 20, height);
  put_32(bytes, 29, crc32({bytes.data() + 12, 17}));
  return bytes;
}

size_t find_segment(const std::vector<uint8_t>& jpeg, uint8_t code) {
  for (size_t i = 2; i + 1 < jpeg.size(); ++i) {
    if (jpeg[i] == 0xFF && jpeg[i + 1] == code) return i;
  }
  FAIL("no such segment");
  return 0;
}

}  // namespace

TEST_CASE("lossless pictures of every colour kind decode to the exact pixels") {
  const Image rgb = expected_rgb();
  CHECK(read_image(golden("rgb.png")) == rgb);
  CHECK(read_image(golden("rgba.png")) == rgb);   // alpha is dropped, not blended
  CHECK(read_image(golden("rgb16.png")) == rgb);  // the high byte stays

  Image grey = rgb, grey16 = rgb, one_bit = rgb;
  for (size_t i = 0; i < rgb.pixels.size(); i += 3) {
    for (size_t c = 0; c < 3; ++c) {
      grey.pixels[i + c] = luminance(&rgb.pixels[i]);
      grey16.pixels[i + c] = rgb.pixels[i];
    }
  }
  CHECK(read_image(golden("grey.png")) == grey);
  CHECK(read_image(golden("grey_alpha.png")) == grey);
  CHECK(read_image(golden("grey16.png")) == grey16);
  for (const uint8_t value : read_image(golden("one_bit.png")).pixels) REQUIRE((value == 0 || value == 255));
  CHECK(mean_difference(read_image(golden("palette.png")), rgb) < 16);
}

TEST_CASE("JPEGs of every kind decode to nearly the right pixels") {
  const Image rgb = expected_rgb();
  CHECK(mean_difference(read_image(golden("baseline.jpg")), rgb) < 3);
  CHECK(mean_difference(read_image(golden("progressive.jpg")), rgb) < 3);
  CHECK(largest_difference(read_image(golden("baseline.jpg")), read_image(golden("progressive.jpg"))) <= 1);
  CHECK(mean_difference(read_image(golden("subsampled.jpg")), rgb) < 12);
  CHECK(mean_difference(read_image(golden("cmyk.jpg")), rgb) < 4);
  Image grey = rgb;
  for (size_t i = 0; i < rgb.pixels.size(); i += 3) {
    grey.pixels[i] = grey.pixels[i + 1] = grey.pixels[i + 2] = luminance(&rgb.pixels[i]);
  }
  CHECK(mean_difference(read_image(golden("grey.jpg")), grey) < 2);
}

TEST_CASE("encoding and decoding give the picture back") {
  const Image rgb = expected_rgb();
  CHECK(decode_image(encode_png(rgb), "png") == rgb);
  CHECK(mean_difference(decode_image(encode_jpeg(rgb, 95), "jpg"), rgb) < 3);
  CHECK(encode_jpeg(rgb, 50).size() < encode_jpeg(rgb, 95).size());
  CHECK_THROWS_WITH(write_image("picture.bmp", rgb), Contains("picture.bmp") && Contains(".png"));
  CHECK_THROWS_WITH(write_image("/nowhere/picture.png", rgb), Contains("/nowhere/picture.png"));
}

TEST_CASE("a header can be read without the pixels") {
  const ImageInfo info = probe_image(golden_bytes("rgba.png"), "rgba.png");
  CHECK((info.width == kWidth && info.height == kHeight && info.channels == 4 && info.orientation == 1));
  CHECK(probe_image(golden_bytes("orientation_6.jpg"), "o").orientation == 6);
  CHECK(probe_image(golden_bytes("orientation_6.png"), "o").orientation == 6);
}

TEST_CASE("the eight orientations turn a 2 x 3 picture as EXIF defines them") {
  // Stored rows: ab / cd / ef. Expected: the picture as it should be seen (EXIF 2.32, tag 0x0112).
  const char* upright[9] = {"",        "ab/cd/ef", "ba/dc/fe", "fe/dc/ba", "ef/cd/ab",
                            "ace/bdf", "eca/fdb",  "fdb/eca",  "bdf/ace"};
  Image stored(2, 3);
  for (size_t i = 0; i < 6; ++i) {
    for (size_t c = 0; c < 3; ++c) stored.pixels[i * 3 + c] = static_cast<uint8_t>("abcdef"[i] + (c << 5));
  }
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const Image turned = apply_orientation(stored, orientation);
    std::string seen;
    for (int64_t y = 0; y < turned.height; ++y) {
      if (y) seen += '/';
      for (int64_t x = 0; x < turned.width; ++x) {
        const uint8_t* pixel = turned.row(y) + x * 3;
        seen += static_cast<char>(pixel[0]);
        REQUIRE((pixel[1] == pixel[0] + 32 && pixel[2] == static_cast<uint8_t>(pixel[0] + 64)));
      }
    }
    CHECK(seen == upright[orientation]);
  }
  CHECK_THROWS_AS(apply_orientation(stored, 0), Error);
  CHECK_THROWS_AS(apply_orientation(stored, 9), Error);
}

TEST_CASE("orientation is applied on reading unless it is switched off") {
  const Image stored = read_image(golden("orientation_1.jpg"));
  DecodeOptions as_stored;
  as_stored.apply_exif_orientation = false;
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const std::string path = golden("orientation_" + std::to_string(orientation) + ".jpg");
    CHECK(read_image(path) == apply_orientation(stored, orientation));
    CHECK(read_image(path, as_stored) == stored);
  }
  CHECK(read_image(golden("orientation_6.png")) == apply_orientation(expected_rgb(), 6));
}

TEST_CASE("EXIF is read in both byte orders and damage means upright") {
  const auto block = [](bool big, uint8_t type, uint8_t value) {
    std::vector<uint8_t> t =
        big ? std::vector<uint8_t>{'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, type, 0, 0, 0, 1}
            : std::vector<uint8_t>{'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, type, 0, 1, 0, 0, 0};
    t.resize(22);
    t[big ? (type == 3 ? 19 : 21) : 18] = value;
    return t;
  };
  CHECK(exif_orientation(block(true, 3, 6)) == 6);
  CHECK(exif_orientation(block(false, 3, 8)) == 8);
  CHECK(exif_orientation(block(true, 4, 3)) == 3);
  CHECK(exif_orientation(block(true, 3, 0)) == 1);
  CHECK(exif_orientation(block(true, 3, 9)) == 1);
  CHECK(exif_orientation(block(true, 2, 6)) == 1);  // a string is no orientation
  std::vector<uint8_t> far = block(true, 3, 6);
  far[7] = 200;  // the directory lies outside
  CHECK(exif_orientation(far) == 1);
  std::vector<uint8_t> many = block(true, 3, 6);
  many[8] = 255;  // 65281 entries announced, one there
  CHECK(exif_orientation(many) == 6);
  for (size_t size = 0; size < 22; ++size) {
    const std::vector<uint8_t> whole = block(false, 3, 8);
    CHECK(exif_orientation({whole.data(), size}) == 1);
  }
}

TEST_CASE("a file cut anywhere is refused with its name") {
  for (const char* name : {"baseline.jpg", "progressive.jpg", "orientation_6.jpg", "rgb.png", "palette.png"}) {
    const std::vector<uint8_t> whole = golden_bytes(name);
    for (size_t size = 0; size < whole.size(); ++size) {
      INFO(name << " cut to " << size << " of " << whole.size() << " bytes");
      REQUIRE_THROWS_WITH(decode_image({whole.data(), size}, "cut.img"), Contains("cut.img"));
    }
  }
  const std::vector<uint8_t> jpeg = golden_bytes("baseline.jpg");
  CHECK_THROWS_WITH(decode_image({jpeg.data(), jpeg.size() - 2}, "a.jpg"), Contains("truncated"));
  const std::vector<uint8_t> png = golden_bytes("rgb.png");
  CHECK_THROWS_WITH(decode_image({png.data(), png.size() - 12}, "a.png"), Contains("truncated"));
}

TEST_CASE("bytes after the end of a picture do no harm") {
  for (const char* name : {"baseline.jpg", "rgb.png"}) {
    std::vector<uint8_t> bytes = golden_bytes(name);
    const Image image = decode_image(bytes, name);
    bytes.resize(bytes.size() + 100, 0xFF);
    CHECK(decode_image(bytes, name) == image);
  }
}

TEST_CASE("every changed byte of a PNG is noticed, as header, checksum or stream") {
  const std::vector<uint8_t> whole = golden_bytes("rgb.png");
  for (size_t i = 0; i < whole.size(); ++i) {
    std::vector<uint8_t> bytes = whole;
    bytes[i] ^= 0x10;
    INFO("byte " << i);
    REQUIRE_THROWS_AS(decode_image(bytes, "changed.png"), Error);
  }
}

TEST_CASE("a JPEG with changed bytes is refused or decodes to its size, never worse") {
  const std::vector<uint8_t> whole = golden_bytes("baseline.jpg");
  int refused = 0;
  for (size_t i = 0; i < whole.size(); ++i) {
    for (const int change : {0x01, 0x80, 0xFF}) {
      std::vector<uint8_t> bytes = whole;
      bytes[i] = static_cast<uint8_t>(bytes[i] ^ change);
      try {
        const Image image = decode_image(bytes, "changed.jpg");
        REQUIRE(static_cast<int64_t>(image.pixels.size()) == image.width * image.height * 3);
      } catch (const Error& error) {
        REQUIRE_THAT(error.what(), Contains("changed.jpg"));
        ++refused;
      }
    }
  }
  CHECK(refused > 100);
}

TEST_CASE("absurd sizes are refused from the header") {
  CHECK_THROWS_WITH(decode_image(png_with_sides(40000, 40000), "huge.png"),
                    Contains("huge.png") && Contains("40000 x 40000") && Contains("1600 megapixels"));
  CHECK_THROWS_WITH(decode_image(png_with_sides(0x7fffffff, 0x7fffffff), "huge.png"), Contains("huge.png"));
  CHECK_THROWS_WITH(decode_image(png_with_sides(0, 5), "flat.png"), Contains("flat.png"));
  std::vector<uint8_t> jpeg = golden_bytes("baseline.jpg");
  const size_t frame = find_segment(jpeg, 0xC0);
  for (size_t i = 5; i < 9; ++i) jpeg[frame + i] = 0xFF;
  CHECK_THROWS_WITH(decode_image(jpeg, "huge.jpg"), Contains("65535 x 65535") && Contains("limit"));

  DecodeOptions options;
  options.max_pixels = kWidth * kHeight;
  CHECK_NOTHROW(read_image(golden("rgb.png"), options));
  options.max_pixels -= 1;
  CHECK_THROWS_WITH(read_image(golden("rgb.png"), options), Contains("rgb.png") && Contains("limit"));
  options = {};
  options.max_file_bytes = 50;
  CHECK_THROWS_WITH(read_image(golden("rgb.png"), options), Contains("93 bytes") && Contains("50"));
}

TEST_CASE("a small PNG that inflates to far more than its pixels is refused") {
  // A zlib stream of stored blocks: 64 MiB of zeros for a picture of 23 x 17.
  std::vector<uint8_t> stream = {0x78, 0x01};
  for (int block = 0; block < 1024; ++block) {
    const uint8_t head[5] = {static_cast<uint8_t>(block == 1023), 0xFF, 0xFF, 0x00, 0x00};
    stream.insert(stream.end(), head, head + 5);
    stream.resize(stream.size() + 65535);
  }
  stream.resize(stream.size() + 4);
  std::vector<uint8_t> bytes = golden_bytes("rgb.png");
  bytes.resize(33);  // signature and IHDR
  const auto chunk = [&](const char* type, const std::vector<uint8_t>& data) {
    const size_t at = bytes.size();
    bytes.resize(at + 8);
    put_32(bytes, at, static_cast<uint32_t>(data.size()));
    std::copy(type, type + 4, bytes.begin() + static_cast<std::ptrdiff_t>(at) + 4);
    bytes.insert(bytes.end(), data.begin(), data.end());
    bytes.resize(bytes.size() + 4);
    put_32(bytes, bytes.size() - 4, crc32({bytes.data() + at + 4, data.size() + 4}));
  };
  chunk("IDAT", stream);
  chunk("IEND", {});
  CHECK_THROWS_WITH(decode_image(bytes, "bomb.png"), Contains("bomb.png") && Contains("outofmem"));
}

TEST_CASE("Huffman tables that stb_image would trust are checked first") {
  std::vector<uint8_t> undefined = golden_bytes("baseline.jpg");
  undefined[find_segment(undefined, 0xDA) + 6] = 0x33;  // the first component's tables become number 3
  CHECK_THROWS_WITH(decode_image(undefined, "scan.jpg"), Contains("scan.jpg") && Contains("Huffman"));
  std::vector<uint8_t> crowded = golden_bytes("baseline.jpg");
  crowded[find_segment(crowded, 0xC4) + 5] = 3;  // three codes of one bit
  CHECK_THROWS_WITH(decode_image(crowded, "table.jpg"), Contains("table.jpg") && Contains("Huffman"));
}

TEST_CASE("what is no picture is refused") {
  const std::vector<uint8_t> words = {'h', 'e', 'l', 'l', 'o'};
  CHECK_THROWS_WITH(decode_image(words, "notes.txt"), Contains("notes.txt") && Contains("neither"));
  CHECK_THROWS_WITH(decode_image({}, "empty.jpg"), Contains("empty.jpg") && Contains("empty"));
  CHECK_THROWS_WITH(read_image("/nowhere/photo.jpg"), Contains("/nowhere/photo.jpg") && Contains("no such file"));
  CHECK_THROWS_WITH(read_image(TAILSEG_GOLDEN_DIR), Contains("not a regular file"));
}

TEST_CASE("crc32 gives the published check value") {  // "123456789" -> cbf43926
  const std::string digits = "123456789";
  CHECK(crc32({reinterpret_cast<const uint8_t*>(digits.data()), digits.size()}) == 0xcbf43926u);
}
