// Rows over their length to the power tau: by hand, against a plain loop, on a crew.
#include "detection/calibration/tau_normalisation.h"

#include <catch2/catch.hpp>

#include "detection/calibration/tau_normalisation_body.h"
#include "tests/crew.h"
#include "tests/run_both.h"
#include "tests/typed_tensor.h"

using namespace tailseg;

TEST_CASE("a row (3, 4) of length 5, and a row of zeros") {
  for (Context* ctx : devices()) {
    const Tensor w = Tensor::from(*ctx, {2, 2}, std::vector<float>{3, 4, 0, 0});
    const auto at = [&](double tau) { return tau_normalised(*ctx, w, tau).to_vector<float>(*ctx); };
    CHECK(at(0) == std::vector<float>{3, 4, 0, 0});
    CHECK(at(1)[0] == Approx(0.6));
    CHECK(at(1)[1] == Approx(0.8));
    CHECK(at(0.5)[1] == Approx(4 / std::sqrt(5.0)));
    CHECK(at(2)[0] == Approx(3.0 / 25));
    CHECK(at(1)[3] == 0);
    for (const double tau : {-0.1, 10.1, std::nan("")}) CHECK_THROWS_AS(at(tau), Error);
  }
}

TEST_CASE("against a plain loop in float64, and a crew against one lane") {
  const int64_t rows = 6, inputs = 41;
  const std::vector<double> w = wave<double>(rows * inputs);
  std::vector<double> one(w.size(), -9), many(w.size(), -9);
  run_solo(rows, TauNormaliseRow<double>{w.data(), one.data(), inputs, 0.7});
  crew::run(5, rows, TauNormaliseRow<double>{w.data(), many.data(), inputs, 0.7});
  for (int64_t r = 0; r < rows; ++r) {
    long double length = 0;
    for (int64_t i = 0; i < inputs; ++i) length += w[size_t(r * inputs + i)] * w[size_t(r * inputs + i)];
    for (int64_t i = 0; i < inputs; ++i) {
      const auto at = size_t(r * inputs + i);
      CHECK(one[at] == Approx(double(w[at] / std::pow(std::sqrt(length), 0.7L))).epsilon(1e-12));
      CHECK(many[at] == Approx(one[at]).epsilon(1e-13));
    }
  }
}
