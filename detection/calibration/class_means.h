// Nearest class mean, NCM (Kang et al., "Decoupling representation and classifier", ICLR 2020; METHODS 4.4; SimCal's
// head 2fc_ncm): nothing is learned. Every class, the background among them, has the mean m_c of its RoIs' features,
// and a RoI belongs to the nearest:
//
//   cosine      z_c = t m_c . x / (|m_c| |x|)         (as a normalised linear layer, autograd/normalized_linear.h)
//   euclidean   z_c = m_c . x - |m_c|^2 / 2           = -|x - m_c|^2 / 2 + something that all classes share
//
// and scores are the softmax of z. The papers take the nearest and give no scores; the temperature t is ours. A class
// that was never met has z = -1e9, which is a score of 0.
//
// State: mean [K, F], count [K]. Rows of a step are taken in in order, row by row, so that the result is the same on
// every number of lanes: mean += (x - mean) / ++count.
#pragma once

#include "autograd/normalized_linear.h"
#include "nn/parameter.h"

namespace tailseg {

struct ClassMeansOptions {
  bool cosine = true;
  NormalizedOptions normalized;  // of the cosine
};

class ClassMeans {
 public:
  // `classes` K with the background. Registers the buffers `scope`.mean and `scope`.count.
  ClassMeans(const Scope& scope, int64_t classes, int64_t features, const ClassMeansOptions& options);

  // x [R, F] float32, bfloat16 or float64 features of labels [R] int32 (0..K-1, -1 unused): joins them to the means.
  void add(Context& ctx, const Tensor& x, const Tensor& labels) const;
  // x [R, F] -> [R, K].
  Variable logits(Context& ctx, const Variable& x) const;

  const Tensor& mean() const { return mean_; }
  const Tensor& count() const { return count_; }

 private:
  ClassMeansOptions options_;
  Tensor mean_, count_;
};

}  // namespace tailseg
