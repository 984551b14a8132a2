#include "datasets/evaluation/match.h"

#include <catch2/catch.hpp>

#include "datasets/evaluation/precision.h"

using namespace tailseg;

namespace {

constexpr uint16_t kAll = 0x3ff;

Truth truth(double area = 100, bool crowd = false, bool ignore = false, bool id_zero = false) {
  return {area, crowd, ignore, id_zero};
}

std::vector<Outcome> match(const std::vector<double>& iou, const std::vector<Truth>& truths, size_t detections,
                           int64_t* positives = nullptr, bool all_ignorable = false, double area = 100,
                           const AreaRange& range = kAreaRanges[0]) {
  std::vector<Outcome> out(detections);
  Matcher matcher;
  const int64_t count = matcher.match(iou, truths, std::vector<double>(detections, area), all_ignorable, range, out);
  if (positives) *positives = count;
  return out;
}

}  // namespace

TEST_CASE("thresholds and recall levels are numpy.linspace's") {
  REQUIRE(iou_threshold(0) == 0.5);
  REQUIRE(iou_threshold(2) == 0x1.3333333333333p-1);
  REQUIRE(iou_threshold(3) == 0x1.4cccccccccccdp-1);
  REQUIRE(iou_threshold(5) == 0.75);
  REQUIRE(iou_threshold(9) == 0x1.e666666666666p-1);
  REQUIRE(recall_level(0) == 0);
  REQUIRE(recall_level(35) == 0.35000000000000003);
  REQUIRE(recall_level(100) == 1);
}

TEST_CASE("the better detection takes the ground truth, a threshold that is just met counts") {
  // two detections on one truth: IoU 0.75 reaches 0.50 .. 0.75 (six thresholds), 0.9 nine
  const auto out = match({0.75, 0.9}, {truth()}, 2);
  REQUIRE(out[0].matched == 0x03f);
  REQUIRE(out[1].matched == (0x1ff & ~0x03f));
  REQUIRE((out[0].ignored | out[1].ignored) == 0);
}

TEST_CASE("among equal IoUs the later ground truth is taken") {
  // both truths at 0.6; the second detection overlaps only the first truth, which must still be free
  const auto out = match({0.6, 0.6, 0.6, 0.0}, {truth(), truth()}, 2);
  REQUIRE(out[0].matched == 0x007);
  REQUIRE(out[1].matched == 0x007);
  const auto other = match({0.6, 0.6, 0.0, 0.6}, {truth(), truth()}, 2);
  REQUIRE(other[1].matched == 0);
}

TEST_CASE("a ground truth that counts is preferred to an ignored one with a larger IoU") {
  int64_t positives = 0;
  const auto out = match({1.0, 0.5}, {truth(100, false, true), truth()}, 1, &positives);
  REQUIRE(positives == 1);
  REQUIRE(out[0].matched == kAll);
  REQUIRE(out[0].ignored == (kAll & ~1));  // at 0.50 it takes the second, above only the ignored one is left
}

TEST_CASE("crowds are taken again and again, and what took them is ignored") {
  const auto out = match({0.9, 0.9, 0.9}, {truth(100, true, true)}, 3);
  for (const Outcome& outcome : out) REQUIRE((outcome.matched & outcome.ignored) == 0x1ff);
  const auto single = match({0.9, 0.9}, {truth(100, false, true)}, 2);
  REQUIRE(single[1].matched == 0);
}

TEST_CASE("area ranges are closed; free detections outside the range are ignored") {
  int64_t positives = 0;
  match({}, {truth(1024)}, 0, &positives, false, 100, kAreaRanges[1]);
  REQUIRE(positives == 1);
  match({}, {truth(1024)}, 0, &positives, false, 100, kAreaRanges[2]);
  REQUIRE(positives == 1);
  const auto free = match({0.1}, {truth(2000)}, 1, &positives, false, 100, kAreaRanges[2]);
  REQUIRE((free[0].ignored & kAll) == kAll);
  const auto inside = match({0.1}, {truth(2000)}, 1, &positives, false, 2000, kAreaRanges[2]);
  REQUIRE(inside[0].ignored == 0);
}

TEST_CASE("free detections of a category that is not exhaustively annotated are ignored, matched ones count") {
  const auto out = match({0.9, 0.0}, {truth()}, 2, nullptr, true);
  REQUIRE((out[0].matched & ~out[0].ignored) == 0x1ff);
  REQUIRE((out[1].ignored & kAll) == kAll);
}

TEST_CASE("a ground truth with id 0 can be taken but reads as no match") {
  const auto out = match({1.0, 1.0}, {truth(100, false, false, true)}, 2);
  REQUIRE(out[0].matched == 0);
  REQUIRE(out[1].matched == 0);
}

TEST_CASE("average precision of a list of hits, by hand") {
  std::vector<double> scratch;
  const auto curve = [&](const std::string& hits, int64_t positives) {
    std::vector<Outcome> outcomes;
    for (const char c : hits) {
      Outcome outcome;
      if (c == '+') outcome.matched = 1;
      if (c == 'i') outcome.ignored = 1;
      outcomes.push_back(outcome);
    }
    return precision_recall(outcomes, positives, 0, scratch);
  };
  REQUIRE(curve("", 4).ap == 0);
  REQUIRE(curve("", 4).recall == 0);
  REQUIRE(curve("---", 4).ap == 0);
  REQUIRE(curve("+", 1).ap == Approx(1).epsilon(1e-15));
  REQUIRE(curve("-+", 1).ap == Approx(.5).epsilon(1e-15));
  // recall .5 at precision 1 (levels 0 .. .50: 51), then 1 at 2/3 (50 levels)
  REQUIRE(curve("+-+", 2).ap == Approx((51 + 50 * 2. / 3) / 101).epsilon(1e-15));
  REQUIRE(curve("+-+", 2).recall == 1);
  REQUIRE(curve("+i-i+i", 2).ap == curve("+-+", 2).ap);
  // precision 1/2, then 2/3: the envelope lifts the first to 2/3; recall stops at 2/4 (51 levels)
  REQUIRE(curve("-++", 4).ap == Approx(51 * (2. / 3) / 101).epsilon(1e-15));
}
