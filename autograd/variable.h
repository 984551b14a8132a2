// A tensor that remembers how it was made. An op computes its value, then records a closure that turns the gradient of
// its result into gradients of its inputs; the closure's capture list is what is kept for the backward pass.
//
//   Variable square(Context& ctx, const Variable& x) {
//     return record(ctx, "square", multiply(ctx, x.value(), x.value()), {x}, [x](Context& c, const Tensor& dy) {
//       x.accumulate(c, scale(c, multiply(c, dy, x.value()), 2.0));
//     });
//   }
//
// backward(ctx, loss) walks the nodes in reverse order of creation. The first gradient to arrive is assigned, later
// ones are added; a node is released as soon as it has run. Gradients of leaves stay until clear_grad. What has run
// once cannot run again: two losses over one network are added and go back together.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "tensor/tensor.h"

namespace tailseg {

class Variable {
 public:
  using Backward = std::function<void(Context& ctx, const Tensor& dy)>;

  Variable() = default;                                         // undefined
  explicit Variable(Tensor value, bool requires_grad = false);  // a leaf

  bool defined() const { return state_ != nullptr; }
  const Tensor& value() const { return state().value; }
  // The value in another dtype, for products: the working copy where there is one (see set_working), else a cast.
  Tensor value_as(Context& ctx, DType dtype) const;
  const Shape& shape() const { return state().value.shape(); }
  int64_t size(int axis) const { return state().value.size(axis); }
  bool requires_grad() const { return state_ && state_->requires_grad; }
  const Tensor& grad() const { return state().grad; }  // undefined until a backward pass reached this variable

  // Adds to the gradient; does nothing when none is required. `dx` may share memory with other tensors.
  void accumulate(Context& ctx, const Tensor& dx) const;
  // Memory for a gradient of this variable: its home (see set_grad_home) when the next gradient will be the first to
  // arrive, else fresh memory. Hand it to accumulate once it is filled.
  Tensor grad_destination(Context& ctx) const;

  // Leaves only.
  void set_requires_grad(bool on) const { state_->requires_grad = on; }
  void set_value(Tensor value) const { state_->value = std::move(value); }  // same shape
  // A copy of the value in another dtype, which its owner keeps up to date (ParameterStore).
  void set_working(Tensor copy) const { state_->working = std::move(copy); }
  void set_grad_home(Tensor home) const { state_->grad_home = std::move(home); }
  void clear_grad() const { state_->grad = Tensor(); }

 private:
  struct Node;
  struct State {
    Tensor value;
    Tensor working;
    Tensor grad;       // of the value's dtype
    Tensor grad_home;  // a slice of the parameters' gradient arena
    std::shared_ptr<Node> node;
    const char* ran = nullptr;  // the op that made the value, once its node has run
    bool requires_grad = false;
  };
  const State& state() const {
    TS_CHECK(state_, "the value of an undefined variable");
    return *state_;
  }
  friend Variable record(Context&, const char*, Tensor, std::vector<Variable>, Backward);
  friend void backward(Context&, const Variable&, const Tensor&);

  std::shared_ptr<State> state_;
};

// A variable that holds `value`, made from `inputs` by the op `name`. Records nothing when no input requires a gradient
// or inside a NoGrad scope. `name` must outlive the tape (a literal).
Variable record(Context& ctx, const char* name, Tensor value, std::vector<Variable> inputs,
                Variable::Backward backward);

// Runs the tape from `loss`. `seed` is the gradient of the loss itself: ones when undefined (loss [1]).
void backward(Context& ctx, const Variable& loss, const Tensor& seed = {});

bool is_recording(Context& ctx);

// While one lives, ops on this context record nothing (evaluation, prediction).
class NoGrad {
 public:
  explicit NoGrad(Context& ctx);
  ~NoGrad();
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;

 private:
  Context& ctx_;
  bool before_;
};

int64_t live_nodes();  // of all tapes; a test asks for zero at the end of a step

}  // namespace tailseg
