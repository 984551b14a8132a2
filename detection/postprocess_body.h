#pragma once

#include "detection/box_coder_body.h"

namespace tailseg {

// One item = one proposal; lanes walk its classes. The key of a pair that is no candidate is -infinity.
template <class Real>
struct CandidateKeys {
  static constexpr const char* name = "candidate_keys";
  static constexpr Lanes lanes = Lanes::warp;
  const Real* scores;    // [N * P, C]
  const int32_t* count;  // [N]
  Real* keys;            // [N * P, C]
  int64_t per_image, classes;
  Real threshold;

  template <class Group>
  TS_HD void operator()(Group group, int64_t row) const {
    constexpr Real kNever = -std::numeric_limits<Real>::infinity();
    const bool exists = row % per_image < count[row / per_image];
    for (int64_t c = group.rank(); c < classes; c += group.size()) {
      const Real score = scores[row * classes + c];
      keys[row * classes + c] = exists && score > threshold ? score : kNever;  // NaN is no candidate
    }
  }
  Cost cost(int64_t rows) const { return {2.0 * sizeof(Real) * double(rows * classes), double(rows * classes)}; }
};

// Network frame to photo frame of one image.
template <class Real>
struct PhotoScale {
  Real x, y;  // photo size / network size

  TS_HD static PhotoScale of(const int32_t* network, const int32_t* photo) {
    return {Real(photo[1]) / Real(network[1]), Real(photo[0]) / Real(network[0])};
  }
  TS_HD Box<Real> operator()(const Box<Real>& box) const { return {box.x1 * x, box.y1 * y, box.x2 * x, box.y2 * y}; }
};

// One item = one candidate (thread): decodes its box, clips it, and says whether it may survive.
template <class Real>
struct DecodeCandidates {
  static constexpr const char* name = "decode_candidates";
  static constexpr Lanes lanes = Lanes::one;
  const int32_t* index;       // [N, K]: proposal * C + class, -1: none
  const Real* keys;           // [N, K]
  const Real* proposals;      // [N, P, 4]
  const Real* deltas;         // [N * P, 4 * C or 4]
  const int32_t* image_size;  // [N, 2]
  const int32_t* photo_size;  // [N, 2]
  Real* boxes;                // [N, K, 4] network frame, clipped
  Real* nms_boxes;            // [N, K, 4] the frame in which suppression works
  int32_t* labels;            // [N, K]
  uint8_t* valid;             // [N, K]
  int64_t per_image, candidates, classes;
  BoxCoder<Real> coder;
  Real smallest_side;
  bool class_agnostic, rescale;

  template <class Group>
  TS_HD void operator()(Group, int64_t item) const {
    const int64_t n = item / candidates;
    const int32_t pair = index[item];
    const bool exists = pair >= 0 && keys[item] > -std::numeric_limits<Real>::infinity();
    valid[item] = 0;
    labels[item] = -1;
    store_box(boxes + item * 4, Box<Real>{0, 0, 0, 0});
    store_box(nms_boxes + item * 4, Box<Real>{0, 0, 0, 0});
    if (!exists) return;
    const int64_t row = n * per_image + pair / classes, label = pair % classes;
    const Real* d = deltas + (class_agnostic ? row * 4 : (row * classes + label) * 4);
    const Box<Real> box = clip_box(coder.decode(load_box(proposals + row * 4), d[0], d[1], d[2], d[3]),
                                   Real(image_size[n * 2]), Real(image_size[n * 2 + 1]));
    labels[item] = static_cast<int32_t>(label);
    valid[item] = box.width() >= smallest_side && box.height() >= smallest_side;  // false for NaN
    store_box(boxes + item * 4, box);
    const auto scale = PhotoScale<Real>::of(image_size + n * 2, photo_size + n * 2);
    store_box(nms_boxes + item * 4, rescale ? scale(box) : box);
  }
  Cost cost(int64_t items) const { return {20.0 * sizeof(Real) * double(items), 60.0 * double(items)}; }
};

// One item = one detection (thread): gathers a survivor and moves it into the photo's frame.
template <class Real>
struct GatherDetections {
  static constexpr const char* name = "gather_detections";
  static constexpr Lanes lanes = Lanes::one;
  const int32_t* survivors;  // [N, D], -1: none
  const Real* keys;          // [N, K]
  const Real* boxes;         // [N, K, 4]
  const int32_t* labels;     // [N, K]
  const int32_t* image_size;
  const int32_t* photo_size;
  Real* photo_boxes;    // [N, D, 4]
  Real* network_boxes;  // [N, D, 4]
  Real* scores;         // [N, D]
  int32_t* out_labels;  // [N, D], -1: none
  int64_t candidates, detections;

  template <class Group>
  TS_HD void operator()(Group, int64_t item) const {
    const int64_t n = item / detections;
    const int32_t at = survivors[item];
    const int64_t from = n * candidates + at;
    const Box<Real> box = at < 0 ? Box<Real>{0, 0, 0, 0} : load_box(boxes + from * 4);
    store_box(network_boxes + item * 4, box);
    store_box(photo_boxes + item * 4, PhotoScale<Real>::of(image_size + n * 2, photo_size + n * 2)(box));
    scores[item] = at < 0 ? Real(0) : keys[from];
    out_labels[item] = at < 0 ? -1 : labels[from];
  }
  Cost cost(int64_t items) const { return {16.0 * sizeof(Real) * double(items), 8.0 * double(items)}; }
};

// One item = one image: clips to the photo and closes the gaps that boxes without area leave (detectron2).
template <class Real>
struct DropEmptyDetections {
  static constexpr const char* name = "drop_empty_detections";
  static constexpr Lanes lanes = Lanes::one;
  Real* photo_boxes;
  Real* network_boxes;
  Real* scores;
  int32_t* labels;
  int32_t* count;
  const int32_t* photo_size;
  int64_t detections;

  template <class Group>
  TS_HD void operator()(Group, int64_t n) const {
    int32_t kept = 0;
    for (int64_t i = 0; i < count[n]; ++i) {
      const int64_t from = n * detections + i, to = n * detections + kept;
      const Box<Real> box =
          clip_box(load_box(photo_boxes + from * 4), Real(photo_size[n * 2]), Real(photo_size[n * 2 + 1]));
      if (!(box.width() > 0 && box.height() > 0)) continue;
      store_box(photo_boxes + to * 4, box);
      store_box(network_boxes + to * 4, load_box(network_boxes + from * 4));
      scores[to] = scores[from];
      labels[to] = labels[from];
      ++kept;
    }
    for (int64_t i = kept; i < count[n]; ++i) {
      const int64_t at = n * detections + i;
      store_box(photo_boxes + at * 4, Box<Real>{0, 0, 0, 0});
      store_box(network_boxes + at * 4, Box<Real>{0, 0, 0, 0});
      scores[at] = 0;
      labels[at] = -1;
    }
    count[n] = kept;
  }
  Cost cost(int64_t images) const { return {double(images * detections) * 80, double(images * detections) * 8}; }
};

}  // namespace tailseg
