// The constants of the COCO and LVIS protocols (METHODS 8.1, 8.2).
//
// A detection's rank among its category's detections decides everything, so ties matter: equal scores keep the order
// of images by id and, within an image, of the result file.
#pragma once

#include <array>
#include <cstdint>

namespace tailseg {

enum class Protocol : uint8_t { kCoco, kLvis };
enum class IouType : uint8_t { kBox, kMask };

constexpr int kThresholds = 10;                           // IoU 0.50, 0.55, ... 0.95
constexpr int kRecallLevels = 101;                        // 0, 0.01, ... 1
constexpr int kAreas = 4;                                 // all, small, medium, large
constexpr std::array<int, 2> kCocoEarlyLimits = {1, 10};  // AR@1, AR@10
constexpr int kCocoLimit = 100;                           // detections per image and category
constexpr int kLvisLimit = 300;                           // detections per image, over all categories

struct AreaRange {
  double low, high;  // closed at both ends
  bool holds(double area) const { return area >= low && area <= high; }
};
constexpr std::array<AreaRange, kAreas> kAreaRanges = {{{0, 1e10}, {0, 1024}, {1024, 9216}, {9216, 1e10}}};

// The values of numpy.linspace(0.5, 0.95, 10) and linspace(0, 1, 101), which the published evaluators compare with: a
// start plus a multiple of a rounded step, and the exact end.
constexpr double iou_threshold(int t) { return t == kThresholds - 1 ? 0.95 : t * ((0.95 - 0.5) / 9) + 0.5; }
constexpr double recall_level(int r) { return r == kRecallLevels - 1 ? 1.0 : r * 0.01; }

}  // namespace tailseg
