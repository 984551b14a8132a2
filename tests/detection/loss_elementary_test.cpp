// The exponential, logarithm and point-wise losses that the row kernels are made of.
#include "detection/losses/elementary.h"

#include <catch2/catch.hpp>
#include <cmath>

using namespace tailseg;

TEST_CASE("exp of negative numbers is good to 2 ulp from 0 to -87, flat below, NaN for NaN") {
  double worst = 0;
  for (int i = 0; i <= 870000; ++i) {
    const float x = -1e-4f * static_cast<float>(i);
    const double exact = std::exp(static_cast<double>(x));
    worst = std::max(worst, std::abs(static_cast<double>(exp_of_negative(x)) - exact) / exact);
  }
  REQUIRE(worst < 2.4e-7);
  REQUIRE(exp_of_negative(0.f) == 1.f);
  REQUIRE(exp_of_negative(-1e30f) < 1.7e-38f);
  REQUIRE(exp_of_negative(-std::numeric_limits<float>::infinity()) < 1.7e-38f);
  REQUIRE(exp_of_negative(-std::numeric_limits<float>::infinity()) >= 0.f);
  REQUIRE(std::isnan(exp_of_negative(std::nanf(""))));
}

TEST_CASE("log(1 + e) on [0, 1] is good to 3 ulp, for the smallest e too") {
  for (int i = 0; i <= 100000; ++i) {
    const float e = 1e-5f * static_cast<float>(i);
    const double exact = std::log1p(static_cast<double>(e));
    REQUIRE(std::abs(static_cast<double>(log1p_of_unit(e)) - exact) <= 3.6e-7 * exact);
  }
  REQUIRE(log1p_of_unit(1e-38f) == Approx(1e-38f).epsilon(1e-6));
}

TEST_CASE("binary cross-entropy of one logit: known points, extremes, infinities") {
  REQUIRE(binary_cross_entropy_at(0.f, 0.5f).value == Approx(std::log(2.0)));
  REQUIRE(binary_cross_entropy_at(0.f, 1.f).slope == Approx(-0.5));
  REQUIRE(binary_cross_entropy_at(std::log(3.0), 1.0).value == Approx(std::log(4.0 / 3)));
  REQUIRE(binary_cross_entropy_at(std::log(3.0), 0.0).slope == Approx(0.75));
  for (float z : {-100.f, 100.f}) {
    const float wrong = z > 0 ? 0.f : 1.f;
    REQUIRE(binary_cross_entropy_at(z, wrong).value == Approx(100));
    REQUIRE(std::abs(binary_cross_entropy_at(z, wrong).slope) == Approx(1));
    REQUIRE(binary_cross_entropy_at(z, 1 - wrong).value >= 0);
    REQUIRE(binary_cross_entropy_at(z, 1 - wrong).value < 1e-30f);
    REQUIRE(std::abs(binary_cross_entropy_at(z, 1 - wrong).slope) < 1e-30f);
  }
  REQUIRE(std::isnan(binary_cross_entropy_at(std::nanf(""), 1.f).value));
  REQUIRE(std::isnan(binary_cross_entropy_at(std::nanf(""), 1.f).slope));
}

TEST_CASE("smooth L1 of one difference: both pieces, the seam, and L1") {
  REQUIRE(smooth_l1_at(0.5, 1.0).value == Approx(0.125));
  REQUIRE(smooth_l1_at(0.5, 1.0).slope == Approx(0.5));
  REQUIRE(smooth_l1_at(-3.0, 1.0).value == Approx(2.5));
  REQUIRE(smooth_l1_at(-3.0, 1.0).slope == -1.0);
  REQUIRE(smooth_l1_at(1.0 / 9, 1.0 / 9).value == Approx(0.5 / 9));
  REQUIRE(smooth_l1_at(-2.0, 0.0).value == 2.0);
  REQUIRE(smooth_l1_at(-2.0, 0.0).slope == -1.0);
  REQUIRE(smooth_l1_at(0.0, 0.0).value == 0.0);
  REQUIRE(smooth_l1_at(0.0, 0.0).slope == 0.0);
  REQUIRE(std::isnan(smooth_l1_at(std::nan(""), 0.0).value));
  REQUIRE(std::isnan(smooth_l1_at(std::nan(""), 1.0).slope));
}
