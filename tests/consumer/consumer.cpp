// The smallest use of the installed package: a matrix product, its gradient, and a check against values by hand.
#include <iostream>

#include "autograd/arithmetic.h"
#include "autograd/linear.h"

int main() {
  using namespace tailseg;
  Context ctx;
  const Variable x(Tensor::from<float>(ctx, {2, 3}, {1, 2, 3, 4, 5, 6}));
  const Variable w(Tensor::from<float>(ctx, {2, 3}, {1, 0, -1, 2, 1, 0}), true);
  const Variable y = linear(ctx, x, w, {});  // [[-2, 4], [-2, 13]]
  const Variable loss = sum(ctx, y);         // 13
  backward(ctx, loss);                       // every row of dw is the column sums of x: 5 7 9

  const auto values = y.value().to_vector<float>(ctx), dw = w.grad().to_vector<float>(ctx);
  for (float value : dw) std::cout << value << ' ';
  std::cout << '\n';
  const bool right = values == std::vector<float>{-2, 4, -2, 13} && dw == std::vector<float>{5, 7, 9, 5, 7, 9};
  return right ? 0 : 1;
}
