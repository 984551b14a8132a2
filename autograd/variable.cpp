#include "autograd/variable.h"

#include <algorithm>
#include <atomic>
#include <unordered_set>

#include "tensor/device_check.h"
#include "tensor/elementwise.h"
#include "tensor/profiler.h"

namespace tailseg {
namespace {

struct Tape {
  explicit Tape(Context&) {}
  bool recording = true;
  int64_t next_id = 0;
};

std::atomic<int64_t> node_count{0};

}  // namespace

struct Variable::Node {
  Node(int64_t id_, const char* name_, std::vector<Variable> inputs_, Backward run_)
      : id(id_), name(name_), inputs(std::move(inputs_)), run(std::move(run_)) {
    ++node_count;
  }
  ~Node() { --node_count; }
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  int64_t id;
  const char* name;
  std::vector<Variable> inputs;
  Backward run;
};

int64_t live_nodes() { return node_count; }

Variable::Variable(Tensor value, bool requires_grad) : state_(std::make_shared<State>()) {
  state_->value = std::move(value);
  state_->requires_grad = requires_grad;
}

Tensor Variable::value_as(Context& ctx, DType dtype) const {
  const State& mine = state();
  if (mine.working.defined() && mine.working.dtype() == dtype) return mine.working;
  return cast(ctx, mine.value, dtype);
}

void Variable::accumulate(Context& ctx, const Tensor& dx) const {
  if (!requires_grad()) return;
  TS_CHECK(dx.shape() == shape() && dx.dtype() == value().dtype(), "gradient ", dx.shape(), " ", name_of(dx.dtype()),
           " for a variable ", shape(), " ", name_of(value().dtype()));
  if (!state_->grad.defined()) {
    if (state_->grad_home.defined() && !state_->grad_home.same_memory(dx)) {
      state_->grad_home.copy_from(ctx, dx);
      state_->grad = state_->grad_home;
    } else {
      state_->grad = dx;
    }
  } else if (state_->grad_home.defined() || state_->grad.is_sole_owner()) {
    add_in_place(ctx, state_->grad, dx);
  } else {
    state_->grad = add(ctx, state_->grad, dx);  // the first gradient's memory belongs to somebody else too
  }
}

Tensor Variable::grad_destination(Context& ctx) const {
  if (state_->grad_home.defined() && !state_->grad.defined()) return state_->grad_home;
  return Tensor::empty(ctx, shape(), state_->value.dtype());
}

Variable record(Context& ctx, const char* name, Tensor value, std::vector<Variable> inputs,
                Variable::Backward backward) {
  for (const Variable& input : inputs) {
    if (input.defined()) check_device(ctx, name, "an input", input.value());
  }
  Variable out(std::move(value));
  Tape& tape = ctx.state<Tape>();
  const bool needed =
      tape.recording && std::any_of(inputs.begin(), inputs.end(), [](const Variable& x) { return x.requires_grad(); });
  if (!needed) return out;
  out.state_->requires_grad = true;
  out.state_->node = std::make_shared<Variable::Node>(tape.next_id++, name, std::move(inputs), std::move(backward));
  return out;
}

void backward(Context& ctx, const Variable& loss, const Tensor& seed) {
  using State = Variable::State;
  const auto check_fresh = [](const State& state) {
    TS_CHECK(!state.ran, "backward: '", state.ran ? state.ran : "",
             "' has run already and is gone; add the losses that share it and run backward once");
  };
  if (loss.defined()) check_fresh(*loss.state_);
  TS_CHECK(loss.defined() && loss.state_->node, "backward: the loss depends on no variable that requires a gradient");
  std::vector<std::shared_ptr<State>> pending{loss.state_};  // every variable with a node, found depth first
  std::unordered_set<State*> seen{loss.state_.get()};
  for (size_t i = 0; i < pending.size(); ++i) {
    for (const Variable& input : pending[i]->node->inputs) {
      if (input.defined()) check_fresh(*input.state_);
      if (input.defined() && input.state_->node && seen.insert(input.state_.get()).second) {
        pending.push_back(input.state_);
      }
    }
  }
  std::sort(pending.begin(), pending.end(), [](const auto& a, const auto& b) { return a->node->id > b->node->id; });

  check_device(ctx, "backward", "the loss", loss.value());
  check_device(ctx, "backward", "the seed", seed);
  TS_CHECK(seed.defined() || loss.value().elements() == 1, "backward: a loss of shape ", loss.shape(), " needs a seed");
  loss.accumulate(ctx, seed.defined() ? seed : Tensor::full(ctx, loss.shape(), 1.0, loss.value().dtype()));
  for (std::shared_ptr<State>& state : pending) {
    const std::shared_ptr<Variable::Node> node = std::move(state->node);
    state->ran = node->name;
    const Tensor dy = std::move(state->grad);
    state->grad = Tensor();
    state.reset();  // the value dies here unless somebody else holds it
    if (dy.defined()) {
      SpanScope span(ctx, std::string("backward/") + node->name);
      node->run(ctx, dy);
    }
  }
}

bool is_recording(Context& ctx) { return ctx.state<Tape>().recording; }

NoGrad::NoGrad(Context& ctx) : ctx_(ctx), before_(ctx.state<Tape>().recording) { ctx.state<Tape>().recording = false; }

NoGrad::~NoGrad() { ctx_.state<Tape>().recording = before_; }

}  // namespace tailseg
