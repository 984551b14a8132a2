// The glyphs of a TrueType font: simple ones are lists of points, compound ones are made of other glyphs.
#include <algorithm>

#include "datasets/synthetic/truetype.h"
#include "tensor/error.h"

namespace tailseg::synthetic {
namespace {

constexpr int kPieces = 6;     // straight pieces for one curve: glyphs are drawn at most a few hundred pixels large
constexpr int kMostDeep = 16;  // parts within parts; fonts have one or two
constexpr int kMostParts = 256;
constexpr size_t kMostPoints = 1 << 18;  // of a compound glyph; a simple one has at most 65,536

}  // namespace

// Reads one glyph's bytes from the first to the last.
class TrueTypeFont::Cursor {
 public:
  Cursor(const TrueTypeFont& font, const Range& range) : font_(font), range_(range) {}

  int64_t word() { return next(2); }
  int64_t byte() { return next(1); }
  int64_t signed_word() { return static_cast<int16_t>(next(2)); }
  int64_t signed_byte() { return static_cast<int8_t>(next(1)); }
  double fraction() { return double(signed_word()) / 16384; }  // 2.14 bits
  void skip(int64_t count) { at_ += static_cast<uint64_t>(count); }

 private:
  int64_t next(int width) {
    const auto value = static_cast<int64_t>(font_.number(range_, at_, width));
    at_ += static_cast<uint64_t>(width);
    return value;
  }
  const TrueTypeFont& font_;
  Range range_;
  uint64_t at_ = 0;
};

std::vector<Contour> TrueTypeFont::contours(int64_t glyph) const {
  int parts = 0;
  std::vector<Contour> out;
  for (const Curve& curve : curves(glyph, 0, parts)) out.push_back(straightened(curve));
  return out;
}

// loca has a place in glyf for every glyph and one for the end: as it is, or halved in 16 bits.
TrueTypeFont::Range TrueTypeFont::place_of(int64_t glyph) const {
  if (glyph < 0 || glyph >= glyphs_) return {};
  const int width = wide_ ? 4 : 2;
  const auto at = static_cast<uint64_t>(glyph * width);
  const uint64_t unit = wide_ ? 1 : 2, begin = number(places_, at, width) * unit;
  const uint64_t end = number(places_, at + static_cast<uint64_t>(width), width) * unit;
  TS_CHECK(begin <= end && end <= outlines_.length, path_, ": the font's glyph ", glyph, " lies outside its table");
  return {outlines_.begin + begin, end - begin};
}

std::vector<TrueTypeFont::Curve> TrueTypeFont::curves(int64_t glyph, int depth, int& parts) const {
  TS_CHECK(depth <= kMostDeep && parts <= kMostParts, path_, ": the font's glyph ", glyph, " is a part of itself, or ",
           "one of more than ", kMostParts, " parts or of parts nested more than ", kMostDeep, " deep");
  const Range place = place_of(glyph);
  if (place.length == 0) return {};
  Cursor in(*this, place);
  const int64_t contours = in.signed_word();
  in.skip(8);  // its bounding box
  return contours >= 0 ? simple(in, contours) : compound(in, glyph, depth, parts);
}

// The last point of each contour, instructions, flags with repetitions, then the differences of x and of y.
std::vector<TrueTypeFont::Curve> TrueTypeFont::simple(Cursor& in, int64_t contours) const {
  std::vector<int64_t> ends;
  for (int64_t i = 0; i < contours; ++i) {
    ends.push_back(in.word() + 1);
    TS_CHECK(i == 0 || ends[size_t(i)] > ends[size_t(i) - 1], path_, ": the font is damaged: the points of a glyph's ",
             "contours do not follow each other");
  }
  if (ends.empty()) return {};
  in.skip(in.word());
  constexpr int kOn = 1, kShortX = 2, kShortY = 4, kRepeat = 8, kSameX = 16, kSameY = 32;
  std::vector<int64_t> flags, x, y;
  while (static_cast<int64_t>(flags.size()) < ends.back()) {
    const int64_t flag = in.byte();
    flags.insert(flags.end(), size_t(flag & kRepeat ? in.byte() + 1 : 1), flag);
  }
  flags.resize(size_t(ends.back()));
  const auto read_axis = [&](std::vector<int64_t>& to, int is_short, int same) {
    int64_t value = 0;
    for (const int64_t flag : flags) {
      if (flag & is_short) {
        value += flag & same ? in.byte() : -in.byte();
      } else if (!(flag & same)) {
        value += in.signed_word();
      }
      to.push_back(value);
    }
  };
  read_axis(x, kShortX, kSameX);
  read_axis(y, kShortY, kSameY);
  std::vector<Curve> out;
  size_t point = 0;
  for (const int64_t end : ends) {
    Curve& curve = out.emplace_back();
    for (; point < size_t(end); ++point)
      curve.push_back({double(x[point]), double(y[point]), (flags[point] & kOn) != 0});
  }
  return out;
}

TrueTypeFont::Part TrueTypeFont::read_part(Cursor& in) {
  constexpr int kWords = 1, kShift = 2, kScale = 8, kMore = 32, kTwoScales = 64, kMatrix = 128;
  Part part;
  const int64_t flags = in.word();
  part.glyph = in.word();
  part.more = (flags & kMore) != 0;
  if (flags & kShift) {
    part.shift_x = double(flags & kWords ? in.signed_word() : in.signed_byte());
    part.shift_y = double(flags & kWords ? in.signed_word() : in.signed_byte());
  } else {
    part.whole_point = flags & kWords ? in.word() : in.byte();
    part.own_point = flags & kWords ? in.word() : in.byte();
  }
  if (flags & kScale) {
    part.scale[0] = part.scale[3] = in.fraction();
  } else if (flags & kTwoScales) {
    part.scale[0] = in.fraction();
    part.scale[3] = in.fraction();
  } else if (flags & kMatrix) {
    for (double& s : part.scale) s = in.fraction();
  }
  return part;
}

std::vector<TrueTypeFont::Curve> TrueTypeFont::compound(Cursor& in, int64_t glyph, int depth, int& parts) const {
  const auto point = [&](const std::vector<Curve>& of, int64_t index) {
    for (const Curve& curve : of) {
      if (index < static_cast<int64_t>(curve.size())) return curve[size_t(index)];
      index -= static_cast<int64_t>(curve.size());
    }
    fail(path_, ": the font's glyph ", glyph, " joins its parts at a point that is not there");
  };
  std::vector<Curve> whole;
  size_t points = 0;
  for (bool more = true; more;) {
    Part part = read_part(in);
    more = part.more;
    ++parts;
    std::vector<Curve> own = curves(part.glyph, depth + 1, parts);
    for (Curve& curve : own) {
      for (CurvePoint& p : curve) {
        p = {part.scale[0] * p.x + part.scale[2] * p.y, part.scale[1] * p.x + part.scale[3] * p.y, p.on};
      }
    }
    if (part.own_point >= 0) {
      const CurvePoint a = point(whole, part.whole_point), b = point(own, part.own_point);
      part.shift_x = a.x - b.x;
      part.shift_y = a.y - b.y;
    }
    for (Curve& curve : own) {
      for (CurvePoint& p : curve) p.x += part.shift_x, p.y += part.shift_y;
    }
    for (const Curve& curve : own) points += curve.size();
    TS_CHECK(points <= kMostPoints, path_, ": the font's glyph ", glyph, " has more than ", kMostPoints, " points");
    whole.insert(whole.end(), own.begin(), own.end());
  }
  return whole;
}

// Between two control points in a row lies a point of the curve, halfway.
Contour TrueTypeFont::straightened(const Curve& curve) {
  const auto middle = [](const CurvePoint& a, const CurvePoint& b) {
    return CurvePoint{(a.x + b.x) / 2, (a.y + b.y) / 2, true};
  };
  const size_t count = curve.size();
  size_t first = 0;  // a point on the curve, if there is one
  while (first < count && !curve[first].on) ++first;
  const bool has_start = first < count;
  if (!has_start) first = 0;
  CurvePoint at = has_start ? curve[first] : middle(curve[count - 1], curve[0]);
  const CurvePoint start = at;
  Contour out{{at.x, at.y}};
  for (size_t i = has_start ? 1 : 0; i < count; ++i) {
    const CurvePoint& p = curve[(first + i) % count];
    if (p.on) {
      out.push_back({p.x, p.y});
      at = p;
      continue;
    }
    const CurvePoint next = i + 1 == count ? start : curve[(first + i + 1) % count];
    const CurvePoint end = next.on ? next : middle(p, next);
    for (int k = 1; k <= kPieces; ++k) {
      const double t = double(k) / kPieces, a = (1 - t) * (1 - t), b = 2 * t * (1 - t), c = t * t;
      out.push_back({a * at.x + b * p.x + c * end.x, a * at.y + b * p.y + c * end.y});
    }
    at = end;
    if (next.on) ++i;  // reached
  }
  return out;
}

}  // namespace tailseg::synthetic
