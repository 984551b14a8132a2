// Where a network's numbers live. Layers register their parameters and buffers here under torchvision's names; the
// store keeps them in order, lays all trained parameters out in one arena (values, gradients, optimiser state side by
// side), and converts to and from the files' axis order at the state dict and nowhere else.
//
// Mixed precision: values, gradients and files are float32 (the masters). With a working dtype of bfloat16 there is one
// more arena, the rounded copy that products read (Variable::value_as). It is derived data: refresh_working makes it
// anew, which the optimiser does after each step, and the store after loading.
#pragma once

#include <string>
#include <vector>

#include "autograd/variable.h"
#include "nn/host_tensor.h"

namespace tailseg {

// How a parameter lies in a file, given how it lies in memory.
enum class FileOrder : unsigned char {
  same,       // vectors, matrices
  filters,    // memory [K, R, S, C], file [K, C, R, S] (convolutions; transposed ones with K in and C out)
  flattened,  // memory [out, H*W*C], file [out, C*H*W]: a fully connected layer over a flattened feature map
};

struct Initializer {
  enum class Kind : unsigned char { constant, normal, uniform } kind = Kind::constant;
  double a = 0;  // constant: the value; normal: the mean; uniform: the lower bound
  double b = 0;  // normal: the standard deviation; uniform: the upper bound

  static Initializer constant(double value) { return {Kind::constant, value, 0}; }
  static Initializer normal(double deviation) { return {Kind::normal, 0, deviation}; }
  static Initializer uniform(double bound) { return {Kind::uniform, -bound, bound}; }
  // The names of METHODS 5.4, for a filter bank [K, R, S, C] or a matrix [out, in].
  static Initializer xavier_uniform(const Shape& shape);
  static Initializer kaiming_normal_fan_out(const Shape& shape);  // gain sqrt(2)
  static Initializer kaiming_uniform_fan_in(const Shape& shape);  // a = 1: gain 1, bound sqrt(3 / fan_in)
  static Initializer pytorch_default(int64_t fan_in);             // U(+-1/sqrt(fan_in)), weights and biases alike
};

struct ParameterEntry {
  std::string name;
  Variable variable;  // for buffers: a variable that requires no gradient
  FileOrder order = FileOrder::same;
  int64_t flattened_channels = 0;  // FileOrder::flattened: C
  bool buffer = false;             // running statistics: saved, never trained
  bool norm = false;               // a normalisation layer's affine: may have its own weight decay
};

class ParameterStore {
 public:
  ParameterStore(Context& ctx, uint64_t seed, DType dtype = DType::float32);

  // Registers and initialises. Draws are keyed by seed and name, so that adding a layer changes no other layer.
  Variable add_parameter(const std::string& name, const Shape& shape, const Initializer& init,
                         FileOrder order = FileOrder::same, int64_t flattened_channels = 0, bool norm = false);
  Tensor add_buffer(const std::string& name, const Shape& shape, double value);

  // Takes every parameter whose name begins with `prefix` out of training. Before consolidate.
  void freeze(const std::string& prefix);
  // bfloat16: products read rounded copies of the parameters, which are made here for those that have been added.
  void set_working_dtype(DType dtype);
  // Moves trained parameters into the arena: those with norm set last, so that an optimiser can treat them apart.
  void consolidate();
  // Rounds the trained masters into their working copies: after a step. make_working: all of them, also the frozen
  // ones; loading does it, and whoever else writes to parameters calls it.
  void refresh_working();
  void make_working();

  Context& context() const { return ctx_; }
  DType dtype() const { return dtype_; }
  DType working_dtype() const { return working_dtype_; }
  const std::vector<ParameterEntry>& entries() const { return entries_; }
  const ParameterEntry* find(const std::string& name) const;
  int64_t trained_elements() const { return values_.defined() ? values_.elements() : 0; }
  int64_t norm_begin() const { return norm_begin_; }  // first arena element of the norm parameters
  const Tensor& values() const { return values_; }    // [trained elements, padded]
  const Tensor& gradients() const { return gradients_; }
  void clear_gradients();
  // After backward: parameters that no gradient reached get zeros, as if they had been in the graph with weight 0.
  void complete_gradients();

  // The state dict in file order and float32 (a float64 store narrows).
  HostTensors state_dict() const;
  struct LoadReport {
    std::vector<std::string> missing, unexpected;
  };
  // Copies tensors of equal name. A tensor of another shape is an Error that lists names and shapes of all that differ.
  LoadReport load_state_dict(const HostTensors& tensors, const std::string& source);

 private:
  Context& ctx_;
  uint64_t seed_;
  DType dtype_, working_dtype_;
  std::vector<ParameterEntry> entries_;
  Tensor values_, gradients_, working_;
  int64_t norm_begin_ = 0;
};

// A place in the tree of names: Scope(store, "backbone").sub("body") names parameters "backbone.body.*".
class Scope {
 public:
  explicit Scope(ParameterStore& store, std::string prefix = "") : store_(&store), prefix_(std::move(prefix)) {}
  Scope sub(const std::string& name) const { return Scope(*store_, full(name)); }
  std::string full(const std::string& name) const { return prefix_.empty() ? name : prefix_ + "." + name; }
  ParameterStore& store() const { return *store_; }

 private:
  ParameterStore* store_;
  std::string prefix_;
};

}  // namespace tailseg
