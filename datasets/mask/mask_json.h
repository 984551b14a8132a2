// The three forms in which COCO and LVIS files write a mask, read from JSON: a list of polygons, a compressed RLE
// {"size": [h, w], "counts": "text"} and an uncompressed one {"size": [h, w], "counts": [n, n, ...]}.
#pragma once

#include "datasets/json/json_value.h"

namespace tailseg {

struct ParsedMask {
  enum class Form : uint8_t { kNone, kPolygons, kText, kCounts };
  Form form = Form::kNone;
  std::vector<double> coordinates;  // kPolygons: all polygons, one after another
  std::vector<size_t> polygon_end;  // kPolygons: where each ends in `coordinates`
  std::vector<int64_t> size;        // RLE: height, width
  std::string text;                 // kText
  std::vector<int64_t> counts;      // kCounts
};

// Reads one "segmentation" into `mask`; reset() before each record, since a record may have none.
class MaskValue : public JsonValue {
 public:
  MaskValue();
  ParsedMask mask;
  void reset();

  void begin_array() override;
  JsonValue& element() override { return polygon_; }
  void begin_object() override;
  JsonValue& member(std::string_view key) override { return rle_.member(key); }
  void end_object() override;

 private:
  class Polygon : public JsonValue {  // appends its numbers to mask.coordinates
   public:
    explicit Polygon(ParsedMask& mask) : JsonValue("a polygon (a list of numbers)"), mask_(mask) {}
    void begin_array() override;
    void number(double v) override;
    void end_array() override;

   private:
    ParsedMask& mask_;
    bool open_ = false;
  };
  class Counts : public JsonValue {  // text or list
   public:
    explicit Counts(ParsedMask& mask) : JsonValue("RLE counts (a string or a list of integers)"), mask_(mask) {}
    void string(std::string_view v) override;
    void begin_array() override { list_.begin_array(); }
    JsonValue& element() override { return list_; }
    void end_array() override;

   private:
    ParsedMask& mask_;
    JsonIntegers list_;
  };

  Polygon polygon_;
  Counts counts_;
  JsonIntegers size_;
  JsonObject rle_;
};

// The runs of an RLE form (kText or kCounts), appended to `counts`; the size is mask.size.
// Errors: a size that is none, text outside the code, runs that do not fill the mask.
void read_runs(const ParsedMask& mask, std::vector<uint32_t>& counts);

// The error for a mask whose size is not its image's.
void check_mask_size(const ParsedMask& mask, int32_t image_height, int32_t image_width);

}  // namespace tailseg
