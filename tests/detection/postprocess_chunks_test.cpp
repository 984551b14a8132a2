// Detections that must not depend on the chunk, torchvision's answers, and the bodies on a crew.
// torchvision's: RoIHeads.postprocess_detections (0.14.1; box weights 10, 10, 5, 5, score 0.05, NMS 0.5, 10 detections)
// on 12 proposals, 7 in an image of 60 x 80 and 5 in one of 55 x 70, 4 classes with background first. With
// v(e) = (37 e^2 + 1369 e) mod 10007 / 10007 * 2 - 1, in float32: logits [12, 5] are 3 v(e + 5), offsets [12, 20]
// v(e + 9), and with u [12, 4] = v(e + 77) proposals have centre (32 (u0 + 1) + 6, 24 (u1 + 1) + 5) and size
// 15 (u2 + 1.2), 15 (u3 + 1.2).
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "detection/losses/softmax_scores.h"
#include "detection/postprocess.h"
#include "detection/postprocess_body.h"
#include "tests/crew.h"
#include "tests/detection/random_boxes.h"
#include "tests/devices.h"

using namespace tailseg;

namespace {

float v(int64_t e) { return static_cast<float>(double((37 * e * e + 1369 * e) % 10007) / 10007 * 2 - 1); }

// The twelve proposals as 2 x 7 rows, the last two unused, background moved last and its offsets dropped.
struct TwelveProposals {
  std::vector<float> logits, deltas, boxes;
  TwelveProposals() : logits(14 * 5, 9), deltas(14 * 16, 0), boxes(14 * 4, 0) {
    for (size_t r = 0; r < 12; ++r) {
      const auto row = static_cast<int64_t>(r);
      for (int64_t c = 0; c < 5; ++c) logits[r * 5 + static_cast<size_t>((c + 4) % 5)] = 3 * v(row * 5 + c + 5);
      for (int64_t d = 0; d < 16; ++d) deltas[r * 16 + static_cast<size_t>(d)] = v(row * 20 + 4 + d + 9);
      const float x = 32 * (v(row * 4 + 77) + 1) + 6, y = 24 * (v(row * 4 + 78) + 1) + 5;
      const float w = 15 * (v(row * 4 + 79) + 1.2f), h = 15 * (v(row * 4 + 80) + 1.2f);
      const float corners[4] = {x - w / 2, y - h / 2, x + w / 2, y + h / 2};
      std::copy(corners, corners + 4, boxes.begin() + static_cast<long>(r * 4));
    }
  }
};

}  // namespace

TEST_CASE("detections are torchvision's under its options") {
  const std::vector<std::array<double, 6>> expected = {
      {32.6456, 0.2196, 38.5011, 30.9425, 0.761392, 2}, {35.2636, 21.4994, 45.5292, 30.1033, 0.745544, 4},
      {17.4118, 4.376, 51.8004, 22.7279, 0.687265, 1},  {0.8717, 41.3812, 22.6183, 60.0, 0.61876, 4},
      {11.5179, 0.0, 44.4427, 19.7661, 0.504619, 4},    {44.5164, 26.156, 57.4952, 34.428, 0.459193, 3},
      {0.0, 37.7885, 24.6186, 60.0, 0.281257, 1},       {33.2552, 19.8525, 47.6565, 31.5017, 0.174187, 1},
      {33.7038, 0.5035, 37.9137, 33.0687, 0.129075, 1}, {11.9047, 0.0, 39.1881, 24.8214, 0.097725, 3},
      {37.4388, 26.3208, 62.0368, 52.0014, 0.70031, 4}, {0.7917, 0.0, 27.4363, 22.7018, 0.602051, 1},
      {41.121, 23.9779, 60.0877, 48.1894, 0.52255, 3},  {37.3202, 24.4471, 57.3233, 49.3844, 0.404519, 1},
      {0.2918, 0.0, 32.8441, 22.8564, 0.320212, 3},     {42.386, 31.1216, 70.0, 54.4442, 0.300621, 2},
      {46.9083, 30.5485, 70.0, 53.6817, 0.272304, 4},   {36.7853, 25.6911, 57.1761, 44.7289, 0.259679, 2},
      {32.709, 26.8947, 63.1161, 55.0, 0.204258, 2}};
  const TwelveProposals twelve;
  PostprocessOptions options;
  options.max_detections = 10;
  options.smallest_side = 1e-2;
  options.rescale_before_nms = false;
  options.coder.clamp_both_sides = false;
  options.chunk = GENERATE(3, 4096);
  for (Context* ctx : devices()) {
    const BoxSet proposals = box_set(*ctx, 2, 7, twelve.boxes, {7, 5});
    const PostprocessInput input{softmax_scores(*ctx, Tensor::from(*ctx, {14, 5}, twelve.logits)),
                                 Tensor::from(*ctx, {14, 16}, twelve.deltas), &proposals,
                                 Tensor::from(*ctx, {2, 2}, std::vector<int32_t>{60, 80, 55, 70}),
                                 Tensor::from(*ctx, {2, 2}, std::vector<int32_t>{60, 80, 110, 161})};
    const BatchDetections got = postprocess(*ctx, input, options);
    REQUIRE(got.photo.count.to_vector<int32_t>(*ctx) == std::vector<int32_t>{10, 9});
    const std::vector<float> boxes = got.network_boxes.to_vector<float>(*ctx);
    const std::vector<float> scores = got.photo.scores.to_vector<float>(*ctx);
    const std::vector<int32_t> labels = got.photo.labels.to_vector<int32_t>(*ctx);
    for (size_t i = 0; i < expected.size(); ++i) {
      INFO("detection " << i);
      for (size_t k = 0; k < 4; ++k) REQUIRE(boxes[i * 4 + k] == Approx(expected[i][k]).margin(2e-4));
      REQUIRE(scores[i] == Approx(expected[i][4]).margin(1e-6));
      REQUIRE(labels[i] + 1 == static_cast<int32_t>(expected[i][5]));
    }
    // transform.resize_boxes of the second image's first box, from 55 x 70 to 110 x 161.
    const std::vector<float> photo = got.photo.boxes.to_vector<float>(*ctx);
    const std::vector<double> rescaled = {86.1093, 52.6416, 142.6846, 104.0027};
    for (size_t k = 0; k < 4; ++k) REQUIRE(photo[40 + k] == Approx(rescaled[k]).margin(5e-4));
  }
}

TEST_CASE("a long tail of classes gives the same detections whatever the chunk") {
  const int64_t capacity = 60, classes = 500;
  const std::vector<float> boxes = random_boxes(2 * capacity, 90, 71);
  std::vector<float> scores(static_cast<size_t>(2 * capacity * classes)), deltas(static_cast<size_t>(2 * capacity * 4));
  std::mt19937 random(72);
  for (float& s : scores) s = static_cast<float>(random() % 997 + 1) / 500000;  // dozens of equals for each score
  for (float& d : deltas) d = static_cast<float>(random() % 100) / 100 - 0.5f;
  for (Context* ctx : devices()) {
    const BoxSet proposals = box_set(*ctx, 2, capacity, boxes, {60, 45});
    const PostprocessInput input{Tensor::from(*ctx, {2 * capacity, classes}, scores),
                                 Tensor::from(*ctx, {2 * capacity, 4}, deltas), &proposals,
                                 Tensor::from(*ctx, {2, 2}, std::vector<int32_t>{100, 120, 90, 80}),
                                 Tensor::from(*ctx, {2, 2}, std::vector<int32_t>{150, 240, 90, 80})};
    PostprocessOptions options;
    options.score_threshold = 1e-4;
    options.nms_threshold = 0.1;
    options.max_detections = 300;
    options.chunk = capacity * classes;  // everything at once
    const BatchDetections whole = postprocess(*ctx, input, options);
    REQUIRE(whole.photo.count.to_vector<int32_t>(*ctx) == std::vector<int32_t>{300, 300});
    for (int64_t chunk : {1, 77, 301}) {
      options.chunk = chunk;
      const BatchDetections parts = postprocess(*ctx, input, options);
      REQUIRE(parts.photo.boxes.to_vector<float>(*ctx) == whole.photo.boxes.to_vector<float>(*ctx));
      REQUIRE(parts.network_boxes.to_vector<float>(*ctx) == whole.network_boxes.to_vector<float>(*ctx));
      REQUIRE(parts.photo.scores.to_vector<float>(*ctx) == whole.photo.scores.to_vector<float>(*ctx));
      REQUIRE(parts.photo.labels.to_vector<int32_t>(*ctx) == whole.photo.labels.to_vector<int32_t>(*ctx));
    }
  }
}

TEST_CASE("an image that is full waits for the others") {
  // Image 0 fills its two places from the first chunk; image 1 holds five copies of one box and one other, last.
  for (Context* ctx : devices()) {
    std::vector<float> boxes;
    for (int i = 0; i < 6; ++i) {
      const auto x = static_cast<float>(12 * i);
      boxes.insert(boxes.end(), {x, 0, x + 10, 10});
    }
    for (int i = 0; i < 5; ++i) boxes.insert(boxes.end(), {0, 0, 10, 10});
    boxes.insert(boxes.end(), {20, 20, 30, 30});
    const BoxSet proposals = box_set(*ctx, 2, 6, boxes, {6, 6});
    const Tensor sizes = Tensor::from(*ctx, {2, 2}, std::vector<int32_t>{90, 90, 90, 90});
    const PostprocessInput input{
        Tensor::from(*ctx, {12, 1}, std::vector<float>{.9f, .8f, .7f, .6f, .5f, .4f, .9f, .8f, .7f, .6f, .5f, .4f}),
        Tensor::zeros(*ctx, {12, 4}), &proposals, sizes, sizes};
    PostprocessOptions options;
    options.max_detections = 2;
    options.chunk = 2;
    const BatchDetections got = postprocess(*ctx, input, options);
    REQUIRE(got.photo.count.to_vector<int32_t>(*ctx) == std::vector<int32_t>{2, 2});
    REQUIRE(got.photo.scores.to_vector<float>(*ctx) == std::vector<float>{.9f, .8f, .9f, .4f});
    REQUIRE(got.photo.boxes.to_vector<float>(*ctx) ==
            std::vector<float>{0, 0, 10, 10, 12, 0, 22, 10, 0, 0, 10, 10, 20, 20, 30, 30});
  }
}

TEST_CASE("detectron2 drops what has no area after everything else") {
  for (Context* ctx : devices()) {
    // The first box lies outside its image: clipped, it has no width, but it takes one of the two places.
    const BoxSet proposals = box_set(*ctx, 1, 3, {100, 0, 120, 10, 0, 0, 10, 10, 40, 40, 50, 50}, {3});
    const Tensor sizes = Tensor::from(*ctx, {1, 2}, std::vector<int32_t>{90, 90});
    const PostprocessInput input{Tensor::from(*ctx, {3, 1}, std::vector<float>{.9f, .8f, .7f}),
                                 Tensor::zeros(*ctx, {3, 4}), &proposals, sizes, sizes};
    PostprocessOptions options;
    options.max_detections = 2;
    REQUIRE(postprocess(*ctx, input, options).photo.count.to_vector<int32_t>(*ctx)[0] == 2);
    options.drop_empty = true;
    const BatchDetections got = postprocess(*ctx, input, options);
    REQUIRE(got.photo.count.to_vector<int32_t>(*ctx)[0] == 1);
    REQUIRE(got.photo.labels.to_vector<int32_t>(*ctx) == std::vector<int32_t>{0, -1});
    REQUIRE(got.photo.boxes.to_vector<float>(*ctx) == std::vector<float>{0, 0, 10, 10, 0, 0, 0, 0});
    REQUIRE(got.photo.scores.to_vector<float>(*ctx) == std::vector<float>{.8f, 0});
  }
}

TEST_CASE("chunk bodies give the same on a crew") {
  const int64_t chunk = 50, most = 20;
  const std::vector<float> proposals = random_boxes(80, 90, 73), deltas = random_boxes(560, 1, 74);
  const std::vector<int32_t> sizes = {100, 120, 90, 80}, photos = {150, 240, 90, 80};
  std::vector<float> best(100), kept = random_boxes(40, 90, 75);
  std::vector<int32_t> pairs(100), kept_labels(40, 3), kept_count = {4, 0};
  for (size_t i = 0; i < 100; ++i) {
    pairs[i] = static_cast<int32_t>(i * 5 % 270);
    best[i] = 1 - static_cast<float>(i % 50) * 0.01f;
  }
  const Survivors<float> so_far{kept.data(), kept_labels.data(), kept_count.data(), most};
  const auto decode = [&](std::vector<float>& boxes, std::vector<float>& nms_boxes, std::vector<int32_t>& labels,
                          std::vector<uint8_t>& valid) {
    return DecodeCandidates<float>{pairs.data(),
                                   best.data(),
                                   proposals.data(),
                                   deltas.data(),
                                   nullptr,
                                   sizes.data(),
                                   photos.data(),
                                   so_far,
                                   boxes.data(),
                                   nms_boxes.data(),
                                   labels.data(),
                                   valid.data(),
                                   40,
                                   chunk,
                                   7,
                                   7,
                                   BoxCoder<float>::of({}),
                                   0.f,
                                   0.2f,
                                   true};
  };
  std::vector<float> boxes(400), nms_boxes(400), crew_boxes(400), crew_nms_boxes(400);
  std::vector<int32_t> labels(100), crew_labels(100);
  std::vector<uint8_t> valid(100), crew_valid(100);
  const auto solo = decode(boxes, nms_boxes, labels, valid);
  for (int64_t i = 0; i < 100; ++i) solo(Solo{}, i);
  crew::run(3, 100, decode(crew_boxes, crew_nms_boxes, crew_labels, crew_valid));
  REQUIRE(crew_boxes == boxes);
  REQUIRE(crew_nms_boxes == nms_boxes);
  REQUIRE(crew_labels == labels);
  REQUIRE(crew_valid == valid);

  std::vector<int32_t> survivors(40), found = {15, 9}, out_labels(40), count = {2, 0}, room(2), unfinished(2);
  std::vector<float> out_nms(160), photo(160), network(160), scores(40);
  for (size_t i = 0; i < 40; ++i) survivors[i] = static_cast<int32_t>(i % 20 * 2);
  crew::run(6, 2,
            AppendDetections<float>{survivors.data(),
                                    found.data(),
                                    best.data(),
                                    boxes.data(),
                                    nms_boxes.data(),
                                    labels.data(),
                                    sizes.data(),
                                    photos.data(),
                                    {out_nms.data(), out_labels.data(), count.data(), most},
                                    photo.data(),
                                    network.data(),
                                    scores.data(),
                                    room.data(),
                                    unfinished.data(),
                                    chunk});
  REQUIRE(count == std::vector<int32_t>{17, 9});
  REQUIRE(room == std::vector<int32_t>{3, 11});
  REQUIRE(unfinished == std::vector<int32_t>{1, 1});
  for (size_t i = 0; i < 15; ++i) {
    REQUIRE(scores[2 + i] == best[i * 2]);
    REQUIRE(out_labels[2 + i] == labels[i * 2]);
    REQUIRE(network[(2 + i) * 4 + 1] == boxes[i * 8 + 1]);
    REQUIRE(out_nms[(2 + i) * 4 + 1] == nms_boxes[i * 8 + 1]);
    REQUIRE(photo[(2 + i) * 4 + 1] == boxes[i * 8 + 1] * 1.5f);
  }

  std::vector<float> left(9000);
  for (size_t i = 0; i < left.size(); ++i) left[i] = static_cast<float>(i % 10);
  const std::vector<float> taken = {9, 7};
  const std::vector<int32_t> taken_pairs = {9, 27};
  crew::run(4, 3, DropTaken<float>{taken_pairs.data(), taken.data(), left.data(), 2, 9000, 3});
  for (size_t i = 0; i < left.size(); ++i) {
    const bool gone = i % 10 > 7 || (i % 10 == 7 && i <= 27);
    REQUIRE(left[i] == (gone ? -std::numeric_limits<float>::infinity() : static_cast<float>(i % 10)));
  }

  std::vector<float> crew_photo = photo, crew_network = network, crew_scores = scores;
  std::vector<int32_t> drop_labels = out_labels, crew_drop_labels = out_labels, crew_count = count;
  const std::vector<int32_t> small = {60, 40, 30, 50};  // many boxes lie beyond these photos
  const auto drop = [&](std::vector<float>& p, std::vector<float>& n, std::vector<float>& s, std::vector<int32_t>& l,
                        std::vector<int32_t>& c) {
    return DropEmptyDetections<float>{p.data(), n.data(), s.data(), l.data(), c.data(), small.data(), most};
  };
  for (int64_t n = 0; n < 2; ++n) drop(photo, network, scores, drop_labels, count)(Solo{}, n);
  crew::run(5, 2, drop(crew_photo, crew_network, crew_scores, crew_drop_labels, crew_count));
  REQUIRE(count[0] < 17);
  REQUIRE(crew_count == count);
  REQUIRE(crew_photo == photo);
  REQUIRE(crew_network == network);
  REQUIRE(crew_scores == scores);
  REQUIRE(crew_drop_labels == drop_labels);
}
