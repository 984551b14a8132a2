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
      keys[row * classes + c] =
          exists && score > threshold && math::finite(score) ? score : kNever;  // NaN is not above
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

// The detections so far of each image, in the frame in which suppression works.
template <class Real>
struct Survivors {
  Real* boxes;      // [N, D, 4]
  int32_t* labels;  // [N, D]
  int32_t* count;   // [N]
  int64_t detections;

  TS_HD bool suppress(int64_t n, const Box<Real>& box, int32_t label, Real threshold) const {
    const Real area = box.area();
    for (int64_t i = n * detections; i < n * detections + count[n]; ++i) {
      if (labels[i] != label) continue;
      const Box<Real> kept = load_box(boxes + i * 4);
      if (overlap(kept, kept.area(), box, area, Real(0)) > threshold) return true;
    }
    return false;
  }
};

// One item = one candidate of the chunk (thread): decodes its box, clips it, and says whether it may survive.
template <class Real>
struct DecodeCandidates {
  static constexpr const char* name = "decode_candidates";
  static constexpr Lanes lanes = Lanes::one;
  const int32_t* index;       // [N, K]: proposal * C + class, -1: none
  const Real* keys;           // [N, K]
  const Real* proposals;      // [N, P, 4]
  const Real* deltas;         // [N * P, 4 * sets]
  const int32_t* filter_of;   // [C], or null: class c's deltas are set c, or the only one
  const int32_t* image_size;  // [N, 2]
  const int32_t* photo_size;  // [N, 2]
  Survivors<Real> so_far;
  Real* boxes;      // [N, K, 4] network frame, clipped
  Real* nms_boxes;  // [N, K, 4] the frame in which suppression works
  int32_t* labels;  // [N, K]
  uint8_t* valid;   // [N, K]
  int64_t per_image, candidates, classes, sets;
  BoxCoder<Real> coder;
  Real smallest_side, nms_threshold;
  bool rescale;

  TS_HD int64_t set_of(int32_t label) const { return filter_of ? filter_of[label] : (sets == 1 ? 0 : label); }
  template <class Group>
  TS_HD void operator()(Group group, int64_t item) const {
    if (group.rank() != 0) return;
    const int64_t n = item / candidates;
    const int32_t pair = index[item];
    Box<Real> box{}, nms_box{};
    int32_t label = -1;
    bool good = pair >= 0 && math::finite(keys[item]);
    if (good) {
      const int64_t row = n * per_image + pair / classes;
      label = static_cast<int32_t>(pair % classes);
      const Real* d = deltas + (row * sets + set_of(label)) * 4;
      box = clip_box(coder.decode(load_box(proposals + row * 4), d[0], d[1], d[2], d[3]), Real(image_size[n * 2]),
                     Real(image_size[n * 2 + 1]));
      nms_box = rescale ? PhotoScale<Real>::of(image_size + n * 2, photo_size + n * 2)(box) : box;
      good = box.width() >= smallest_side && box.height() >= smallest_side &&  // false for NaN
             !so_far.suppress(n, nms_box, label, nms_threshold);
    }
    store_box(boxes + item * 4, box);
    store_box(nms_boxes + item * 4, nms_box);
    labels[item] = label;
    valid[item] = good;
  }
  Cost cost(int64_t items) const { return {20.0 * sizeof(Real) * double(items), 60.0 * double(items)}; }
};

// One item = one image; lanes walk the chunk's survivors, which go behind those of earlier chunks.
template <class Real>
struct AppendDetections {
  static constexpr const char* name = "append_detections";
  static constexpr Lanes lanes = Lanes::warp;
  const int32_t* survivors;  // [N, D] places in the chunk
  const int32_t* found;      // [N]
  const Real* keys;          // [N, K]
  const Real* boxes;         // [N, K, 4]
  const Real* nms_boxes;     // [N, K, 4]
  const int32_t* labels;     // [N, K]
  const int32_t* image_size;
  const int32_t* photo_size;
  Survivors<Real> so_far;
  Real* photo_boxes;    // [N, D, 4]
  Real* network_boxes;  // [N, D, 4]
  Real* scores;         // [N, D]
  int32_t* room;        // [N] detections still wanted
  int32_t* unfinished;  // [N] 1 when room and candidates are left
  int64_t candidates;

  template <class Group>
  TS_HD void operator()(Group group, int64_t n) const {
    const int64_t before = so_far.count[n], most = so_far.detections;
    const auto scale = PhotoScale<Real>::of(image_size + n * 2, photo_size + n * 2);
    group.sync();  // every lane has read the count
    for (int64_t i = group.rank(); i < found[n]; i += group.size()) {
      const int64_t from = n * candidates + survivors[n * most + i], to = n * most + before + i;
      const Box<Real> box = load_box(boxes + from * 4);
      store_box(network_boxes + to * 4, box);
      store_box(photo_boxes + to * 4, scale(box));
      store_box(so_far.boxes + to * 4, load_box(nms_boxes + from * 4));
      so_far.labels[to] = labels[from];
      scores[to] = keys[from];
    }
    if (group.rank() != 0) return;
    const int64_t after = before + found[n];
    so_far.count[n] = static_cast<int32_t>(after);
    room[n] = static_cast<int32_t>(most - after);
    unfinished[n] = after < most && math::finite(keys[(n + 1) * candidates - 1]);
  }
  Cost cost(int64_t images) const { return {double(images * so_far.detections) * 80, double(images) * 100}; }
};

// One item = kBlock pairs of one image; lanes walk them. Candidates of the chunk just done leave the keys.
template <class Real>
struct DropTaken {
  static constexpr const char* name = "drop_taken";
  static constexpr Lanes lanes = Lanes::warp;
  static constexpr int64_t kBlock = 4096;
  const int32_t* index;  // [N, K]
  const Real* values;    // [N, K]
  Real* keys;            // [N, pairs]
  int64_t candidates, pairs, blocks;

  template <class Group>
  TS_HD void operator()(Group group, int64_t item) const {
    constexpr Real kNever = -std::numeric_limits<Real>::infinity();
    const int64_t n = item / blocks, begin = item % blocks * kBlock, last = (n + 1) * candidates - 1;
    Real* mine = keys + n * pairs;
    for (int64_t i = begin + group.rank(); i < math::min(begin + kBlock, pairs); i += group.size()) {
      if (mine[i] > values[last] || (mine[i] == values[last] && i <= index[last])) mine[i] = kNever;
    }
  }
  Cost cost(int64_t items) const { return {double(items) * kBlock * sizeof(Real), double(items) * kBlock * 2}; }
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
  TS_HD void operator()(Group group, int64_t n) const {
    if (group.rank() != 0) return;
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
