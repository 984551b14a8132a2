#pragma once

#include "detection/losses/class_loss.h"

namespace tailseg {

// The loss "reweighted": softmax cross-entropy over C + 1 classes, background last, each row weighed by its label's
// class (METHODS 1.4). n_j training instances, h(n) = (1 - beta) / (1 - beta^n) the inverse effective number:
//   loss = (sum over used rows of w_y (-log softmax(z)_y)) / N,   N = max(used rows, 1)
//   "inverse"     w_j = reference / n_j, from 0.1 to 10 (SimCal; its reference and background weight are not published)
//   "mean"        w_j = (1/n_j) / mean_k(1/n_k), from 0.1 to 5 (BAGS's re-weighting)
//   "effective"   w_j = h(n_j) / mean_k h(n_k), beta 0.999, from 0.1 to 5 (BAGS)
//   "background"  the same with the background as a class of 3 sum n_j instances within the mean, no limits (BAGS "bf")
//   "balanced"    w_j = C h(n_j) / sum_k h(n_k), beta 0.9999 (class-balanced loss, Cui et al. 2019, in LDAM's code)
// Paper and code: the class-balanced loss is a mean over rows; LDAM's code divides by the sum of the rows' weights
// (METHODS 11.1), so "balanced" does and the others divide by N; `divide_by` sets either.
// No state: the weights follow from the training set.
struct ReweightedOptions : LossOptionsOf<ReweightedOptions> {
  std::string weights = "mean";
  std::string divide_by = "published";
  double reference = 100, background_weight = 1;
  double beta = 0;  // 0: the variant's own

  std::string name() const override { return "reweighted"; }
  std::shared_ptr<ClassLoss> make(const Scope& scope, int64_t classes,
                                  const ClassStatistics& statistics) const override;

 protected:
  std::vector<LossKnob> own_knobs() override;
};

// The weights of C classes and, last, of the background. Every count is at least 1.
std::vector<double> class_weights(const ReweightedOptions& options, const std::vector<int64_t>& instances);

}  // namespace tailseg
