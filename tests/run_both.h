// Runs one body on one lane and on a crew, for tests that compare the two.
#pragma once

#include <cmath>
#include <vector>

#include "tests/crew.h"

namespace tailseg {

template <class Body>
void run_solo(int64_t items, const Body& body) {
  for (int64_t item = 0; item < items; ++item) body(Solo{}, item);
}

template <class Real>
std::vector<Real> wave(size_t count, double phase = 0) {  // smooth values of both signs
  std::vector<Real> out(count);
  for (size_t i = 0; i < count; ++i) out[i] = static_cast<Real>(std::sin(0.7 * static_cast<double>(i) + phase) * 2);
  return out;
}

}  // namespace tailseg
