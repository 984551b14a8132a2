// Expected figures as text: lines "type name value", per category "type category:ID value" (see golden/evaluation).
#pragma once

#include <catch2/catch.hpp>

#include <fstream>
#include <map>
#include <string>

#include "datasets/evaluation/evaluate.h"

namespace tailseg {

struct Expected {
  std::map<std::string, double> figures;
  std::map<int64_t, double> categories;  // id -> AP; those with ground truth
};

inline std::map<std::string, Expected> read_expected(const std::string& path) {
  std::ifstream file(path);
  REQUIRE(file.good());
  std::map<std::string, Expected> out;
  std::string type, name;
  double value;
  while (file >> type >> name >> value) {
    if (name.starts_with("category:")) {
      out[type].categories[std::stoll(name.substr(9))] = value;
    } else {
      out[type].figures[name] = value;
    }
  }
  return out;
}

inline void require_equal(const AnnotationSet& set, const Evaluation& evaluation, const Expected& expected) {
  REQUIRE(expected.figures.size() >= 12);
  for (const auto& [name, value] : expected.figures) {
    INFO(name << " is " << evaluation.figure(name) << ", expected " << value);
    REQUIRE(std::abs(evaluation.figure(name) - value) < 1e-9);
  }
  for (size_t label = 0; label < set.categories.size(); ++label) {
    const CategoryResult& category = evaluation.categories[label];
    const auto found = expected.categories.find(set.categories[label].id);
    INFO("category " << set.categories[label].id);
    REQUIRE((category.instances[0] > 0) == (found != expected.categories.end()));
    if (category.instances[0] > 0) REQUIRE(std::abs(category.mean_ap() - found->second) < 1e-9);
  }
}

}  // namespace tailseg
