#include "datasets/evaluation/proposal_recall.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <random>

using namespace tailseg;

namespace {

AnnotationSet set_of(const std::vector<std::vector<Box>>& images, const std::string& last_rest = "") {
  std::string records, truths;
  int id = 0;
  for (size_t i = 0; i < images.size(); ++i) {
    records += std::string(i ? "," : "") + R"({"id": )" + std::to_string(i) +
               R"(, "width": 500, "height": 500, "file_name": "a"})";
    for (size_t g = 0; g < images[i].size(); ++g) {
      const Box& box = images[i][g];
      const bool last = i + 1 == images.size() && g + 1 == images[i].size();
      truths += std::string(id ? "," : "") + R"({"id": )" + std::to_string(id) + R"(, "image_id": )" +
                std::to_string(i) + R"(, "category_id": 1, "area": )" + std::to_string(box[2] * box[3]) +
                R"(, "bbox": [)" + std::to_string(box[0]) + "," + std::to_string(box[1]) + "," +
                std::to_string(box[2]) + "," + std::to_string(box[3]) + "]" + (last ? last_rest : "") + "}";
      ++id;
    }
  }
  return parse_annotations(
      R"({"images": [)" + records + R"(], "annotations": [)" + truths + R"(], "categories": [{"id": 1, "name": "a"}]})",
      "set");
}

double figure(const std::vector<Figure>& figures, const std::string& name) {
  for (const Figure& f : figures) {
    if (f.name == name) return f.value;
  }
  FAIL("no figure " << name);
  return 0;
}

}  // namespace

TEST_CASE("proposal recall by hand: limits, denominators, crowds") {
  // image 0: two truths, found exactly and with IoU 0.6 (20 x 20 moved by 5: 300 / 500); image 1 has no proposal
  const std::vector<std::vector<Box>> images = {{{0, 0, 20, 20}, {100, 100, 20, 20}}, {{0, 0, 20, 20}}};
  Detections proposals;
  const Box exact = {0, 0, 20, 20}, moved = {105, 100, 20, 20}, nothing = {300, 300, 5, 5};
  proposals.add(0, -1, .1, &exact, nullptr);
  proposals.add(0, -1, .9, &moved, nullptr);
  proposals.add(0, -1, .5, &nothing, nullptr);
  ProposalRecallOptions options;
  options.limits = {1, 3};
  auto figures = proposal_recall(set_of(images), proposals, options);
  REQUIRE(figure(figures, "AR@1") == Approx(.3 / 3).epsilon(1e-12));  // only `moved`: 0.50, 0.55, 0.60
  REQUIRE(figure(figures, "AR@3") == Approx(1.3 / 3).epsilon(1e-12));
  REQUIRE(figure(figures, "ARs@3") == figure(figures, "AR@3"));
  REQUIRE(figure(figures, "ARl@3") == -1);
  options.skip_images_without_proposals = true;
  figures = proposal_recall(set_of(images), proposals, options);
  REQUIRE(figure(figures, "AR@3") == Approx(1.3 / 2).epsilon(1e-12));
  options.skip_images_without_proposals = false;
  figures = proposal_recall(set_of(images, R"(, "iscrowd": 1)"), proposals, options);
  REQUIRE(figure(figures, "AR@3") == Approx(1.3 / 2).epsilon(1e-12));
}

TEST_CASE("proposal recall equals a search of the whole IoU table") {
  std::mt19937 random(4);
  std::uniform_real_distribution<double> place(0, 60), side(5, 120);
  std::vector<std::vector<Box>> images(6);
  for (auto& image : images) {
    image.resize(random() % 9);
    for (Box& box : image) box = {place(random), place(random), side(random), side(random)};
  }
  const AnnotationSet set = set_of(images);
  Detections proposals;
  std::vector<std::vector<std::pair<double, Box>>> of_image(images.size());
  for (int i = 0; i < 150; ++i) {
    const auto image = static_cast<int32_t>(random() % images.size());
    const Box box = {place(random), place(random), side(random), side(random)};
    const double score = static_cast<double>(random() % 50);
    proposals.add(image, -1, score, &box, nullptr);
    of_image[image].push_back({score, box});
  }
  ProposalRecallOptions options;
  options.limits = {3, 10, 1000};
  const auto figures = proposal_recall(set, proposals, options);
  for (const int limit : options.limits) {
    double sum = 0, truths = 0;
    for (size_t i = 0; i < images.size(); ++i) {
      auto list = of_image[i];
      std::stable_sort(list.begin(), list.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
      list.resize(std::min(list.size(), static_cast<size_t>(limit)));
      auto boxes = set.annotations.box;
      std::vector<std::vector<double>> table;
      for (const int32_t a : set.by_image[static_cast<int64_t>(i)]) {
        table.emplace_back();
        for (const auto& [score, box] : list) table.back().push_back(box_iou(box, boxes[a], false));
      }
      truths += static_cast<double>(table.size());
      for (size_t round = 0; round < std::min(table.size(), list.size()); ++round) {
        size_t best_row = 0, best_column = 0;
        for (size_t r = 0; r < table.size(); ++r) {
          for (size_t c = 0; c < list.size(); ++c) {
            if (table[r][c] > table[best_row][best_column]) {
              best_row = r;
              best_column = c;
            }
          }
        }
        for (int t = 0; t < 10; ++t) sum += table[best_row][best_column] >= iou_threshold(t);
        for (double& iou : table[best_row]) iou = -1;
        for (auto& row : table) row[best_column] = -1;
      }
    }
    REQUIRE(figure(figures, "AR@" + std::to_string(limit)) == Approx(sum / 10 / truths).epsilon(1e-12));
  }
}
