// The small bodies of autograd/ on one lane and on a crew: equal, and equal to a plain loop.
#include <catch2/catch.hpp>

#include "autograd/average_pool_body.h"
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

TEST_CASE("folding a scale and its gradient on a crew") {
  const int64_t filters = 3, taps = 37;
  const auto w = wave<double>(size_t(filters * taps)), d = wave<double>(size_t(filters * taps), 2);
  const std::vector<double> scale{0.5, -2, 3};
  std::vector<double> folded(w.size()), dw(w.size()), dscale(3);
  crew::run(5, filters, FoldScale<double, double>{w.data(), scale.data(), folded.data(), taps});
  crew::run(5, filters, FoldScaleBackward<double>{w.data(), scale.data(), d.data(), dw.data(), dscale.data(), taps});
  std::vector<double> expected_folded, expected_dw, expected_dscale(3, 0.0);
  for (size_t i = 0; i < w.size(); ++i) {
    expected_folded.push_back(scale[i / 37] * w[i]);
    expected_dw.push_back(scale[i / 37] * d[i]);
    expected_dscale[i / 37] += w[i] * d[i];
  }
  require_near(folded, expected_folded);
  require_near(dw, expected_dw);
  require_near(dscale, expected_dscale);
}

TEST_CASE("a frozen norm as scale and bias, and the gradient of its gamma") {
  const std::vector<double> gamma{1.5, -0.5}, beta{0.1, 0.2}, mean{2, -1}, var{4, 0.25}, ds{1, 2}, db{3, 4};
  std::vector<double> scale(2), bias(2), dgamma(2);
  run_solo(2,
           FoldBatchNorm<double>{gamma.data(), beta.data(), mean.data(), var.data(), scale.data(), bias.data(), 0.0});
  run_solo(2, FoldBatchNormBackward<double>{mean.data(), var.data(), ds.data(), db.data(), dgamma.data(), 0.0});
  require_near(scale, {0.75, -1.0});
  require_near(bias, {0.1 - 2 * 0.75, 0.2 - 1.0});
  require_near(dgamma, {(1.0 - 2 * 3) / 2, (2.0 + 4) / 0.5});
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

TEST_CASE("global average pooling on a crew") {
  const int64_t images = 2, pixels = 12, channels = 5;
  const auto x = wave<double>(size_t(images * pixels * channels));
  std::vector<double> y(10), expected(10, 0.0), dx(x.size());
  crew::run(3, images, GlobalAverageForward<double>{x.data(), y.data(), pixels, channels});
  for (size_t i = 0; i < x.size(); ++i) expected[i / 60 * 5 + i % 5] += x[i] / 12;
  require_near(y, expected);
  crew::run(3, images * pixels, GlobalAverageBackward<double>{y.data(), dx.data(), pixels, channels});
  for (size_t i = 0; i < dx.size(); ++i) REQUIRE(dx[i] == Approx(y[i / 60 * 5 + i % 5] / 12));
}
