// The small bodies of autograd/ on one lane and on a crew: equal, and equal to a plain loop.
#include <catch2/catch.hpp>

#include "autograd/columns_body.h"
#include "autograd/fold_body.h"
#include "autograd/relu_body.h"
#include "tests/crew.h"
#include "tests/run_both.h"

using namespace tailseg;

namespace {

void require_near(const std::vector<double>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  for (size_t i = 0; i < a.size(); ++i) REQUIRE(a[i] == Approx(b[i]).margin(1e-12));
}

}  // namespace

TEST_CASE("masked column sums on a crew") {
  const int64_t rows = 300, columns = 7, chunks = 3;
  const auto dy = wave<double>(size_t(rows * columns)), y = wave<double>(size_t(rows * columns), 1);
  std::vector<double> masked(dy.size()), masked_crew(dy.size()), part(21), part_crew(21), sums(7), sums_crew(7);
  run_solo(chunks, MaskedColumnSums<double>{dy.data(), y.data(), masked.data(), part.data(), rows, columns});
  crew::run(4, chunks,
            MaskedColumnSums<double>{dy.data(), y.data(), masked_crew.data(), part_crew.data(), rows, columns});
  run_solo(1, AddChunks<double>{part.data(), sums.data(), chunks, columns});
  crew::run(4, 1, AddChunks<double>{part_crew.data(), sums_crew.data(), chunks, columns});
  std::vector<double> expected(7, 0.0);
  for (size_t i = 0; i < dy.size(); ++i) expected[i % 7] += y[i] > 0 ? dy[i] : 0;
  require_near(sums, expected);
  require_near(sums_crew, expected);
  REQUIRE(masked == masked_crew);
}

TEST_CASE("folding a frozen norm and its gradient on a crew") {
  const int64_t filters = 3, taps = 37;
  const auto w = wave<double>(size_t(filters * taps)), d = wave<double>(size_t(filters * taps), 2);
  const std::vector<double> gamma{1, -1, 6}, beta{0.1, 0.2, 0.3}, mean{2, -1, 0.5}, var{4, 0.25, 3}, dbias{3, 4, -1};
  std::vector<double> folded(w.size()), bias(3), dw(w.size()), dgamma(3);
  crew::run(5, filters,
            FoldNorm<double, double, double>{w.data(), gamma.data(), beta.data(), mean.data(), var.data(),
                                             folded.data(), bias.data(), taps, 1.0});
  crew::run(5, filters,
            FoldNormBackward<double, double>{w.data(), gamma.data(), mean.data(), var.data(), d.data(), dbias.data(),
                                             dw.data(), dgamma.data(), taps, 1.0});
  const double deviation[3] = {std::sqrt(5.0), std::sqrt(1.25), 2};
  std::vector<double> expected_folded, expected_bias, expected_dw, expected_dgamma;
  for (size_t k = 0; k < 3; ++k) {
    double total = 0;
    for (size_t i = k * 37; i < (k + 1) * 37; ++i) {
      expected_folded.push_back(gamma[k] / deviation[k] * w[i]);
      expected_dw.push_back(gamma[k] / deviation[k] * d[i]);
      total += w[i] * d[i];
    }
    expected_bias.push_back(beta[k] - mean[k] * gamma[k] / deviation[k]);
    expected_dgamma.push_back((total - mean[k] * dbias[k]) / deviation[k]);
  }
  require_near(folded, expected_folded);
  require_near(bias, expected_bias);
  require_near(dw, expected_dw);
  require_near(dgamma, expected_dgamma);
}

TEST_CASE("a frozen norm's gradient may take the place of the folded filters', and each part may be left out") {
  const std::vector<double> w{1, 2, 3, 4}, gamma{1, 2}, mean{0.5, -1}, var{4, 1}, dbias{3, 4};
  std::vector<double> in_place{5, 6, 7, 8}, d = in_place, dw(4), dgamma(2), alone(2);
  const auto body = [&](const std::vector<double>& dfolded, double* to, double* of_gamma) {
    return FoldNormBackward<double, double>{w.data(),     gamma.data(), mean.data(), var.data(), dfolded.data(),
                                            dbias.data(), to,           of_gamma,    2,          0.0};
  };
  run_solo(2, body(d, dw.data(), nullptr));
  run_solo(2, body(d, nullptr, alone.data()));
  crew::run(2, 2, body(in_place, in_place.data(), dgamma.data()));
  REQUIRE(dw == std::vector<double>{2.5, 3, 14, 16});
  REQUIRE(in_place == dw);
  REQUIRE(alone == std::vector<double>{(5 + 12 - 1.5) / 2, 21 + 32 + 4});
  REQUIRE(dgamma == alone);
}

TEST_CASE("relu passes what is positive, hides no NaN, and stops the gradient elsewhere") {
  const std::vector<double> x{-1, 0, 2, std::nan("")}, dy{5, 6, 7, 8};
  std::vector<double> y(4), dx(4), all(4);
  run_solo(4, ReluForward<double>{x.data(), y.data()});
  run_solo(4, ReluBackward<double>{dy.data(), y.data(), dx.data()});
  run_solo(4, BroadcastScalar<double>{dy.data(), all.data()});
  REQUIRE((y[0] == 0 && y[1] == 0 && y[2] == 2 && std::isnan(y[3])));
  REQUIRE((dx[0] == 0 && dx[1] == 0 && dx[2] == 7));
  REQUIRE(all == std::vector<double>(4, 5.0));
}
