#include "nn/parameter.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "tensor/elementwise.h"
#include "tensor/parallel.h"
#include "tensor/philox.h"

namespace tailseg {
namespace {

constexpr int64_t kAlignment = 16;  // elements: every slice starts on a cache line

int64_t padded(int64_t elements) { return (elements + kAlignment - 1) / kAlignment * kAlignment; }

int64_t taps_of(const Shape& shape) { return shape.axes() == 4 ? shape[1] * shape[2] : 1; }
int64_t fan_in_of(const Shape& shape) { return shape[-1] * taps_of(shape); }
int64_t fan_out_of(const Shape& shape) { return shape[0] * taps_of(shape); }

// memory index -> file index, for one entry.
class OrderMap {
 public:
  explicit OrderMap(const ParameterEntry& entry) : order_(entry.order), shape_(entry.variable.shape()) {
    if (order_ == FileOrder::flattened) {
      channels_ = entry.flattened_channels;
      pixels_ = shape_[1] / channels_;
    }
  }
  int64_t file_index(int64_t i) const {
    if (order_ == FileOrder::filters) {
      const int64_t c = i % shape_[3], tap = i / shape_[3] % taps_of(shape_), k = i / (shape_[3] * taps_of(shape_));
      return (k * shape_[3] + c) * taps_of(shape_) + tap;
    }
    if (order_ == FileOrder::flattened) {
      const int64_t c = i % channels_, pixel = i / channels_ % pixels_, row = i / shape_[1];
      return row * shape_[1] + c * pixels_ + pixel;
    }
    return i;
  }
  std::vector<int64_t> file_shape() const {
    if (order_ == FileOrder::filters) return {shape_[0], shape_[3], shape_[1], shape_[2]};
    return shape_.vector();
  }

 private:
  FileOrder order_;
  Shape shape_;
  int64_t channels_ = 1, pixels_ = 1;
};

std::vector<float> host_values(Context& ctx, const Tensor& tensor) {
  if (tensor.dtype() == DType::float32) return tensor.to_vector<float>(ctx);
  const std::vector<double> wide = tensor.to_vector<double>(ctx);
  return {wide.begin(), wide.end()};
}

Tensor tensor_of(Context& ctx, const Shape& shape, DType dtype, const std::vector<float>& values) {
  if (dtype == DType::float32) return Tensor::from(ctx, shape, values);
  return Tensor::from(ctx, shape, std::vector<double>(values.begin(), values.end()));
}

float draw(const Initializer& init, RandomKey key, uint32_t index) {
  RandomStream stream(key, 0, index);
  switch (init.kind) {
    case Initializer::Kind::normal:
      return static_cast<float>(init.a + init.b * stream.normal());
    case Initializer::Kind::uniform:
      return static_cast<float>(init.a + (init.b - init.a) * stream.uniform_double());
    default:
      return static_cast<float>(init.a);
  }
}

}  // namespace

Initializer Initializer::xavier_uniform(const Shape& shape) {
  return uniform(std::sqrt(6.0 / static_cast<double>(fan_in_of(shape) + fan_out_of(shape))));
}
Initializer Initializer::kaiming_normal_fan_out(const Shape& shape) {
  return normal(std::sqrt(2.0 / static_cast<double>(fan_out_of(shape))));
}
Initializer Initializer::kaiming_uniform_fan_in(const Shape& shape) {
  return uniform(std::sqrt(3.0 / static_cast<double>(fan_in_of(shape))));
}
Initializer Initializer::pytorch_default(int64_t fan_in) {
  return uniform(1.0 / std::sqrt(static_cast<double>(fan_in)));
}

ParameterStore::ParameterStore(Context& ctx, uint64_t seed, DType dtype)
    : ctx_(ctx), seed_(seed), dtype_(dtype), working_dtype_(dtype) {
  TS_CHECK(dtype == DType::float32 || dtype == DType::float64, "parameters are float32 (float64 in tests), not ",
           name_of(dtype));
}

Variable ParameterStore::add_parameter(const std::string& name, const Shape& shape, const Initializer& init,
                                       FileOrder order, int64_t flattened_channels, bool norm) {
  TS_CHECK(!find(name), "two parameters are named ", name);
  TS_CHECK(!values_.defined(), "parameter ", name, " added after consolidate");
  std::vector<float> values(static_cast<size_t>(shape.elements()));
  const RandomKey key{seed_, random_purpose(name)};
  parallel_ranges(ctx_.threads(), static_cast<int64_t>(values.size()), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) values[static_cast<size_t>(i)] = draw(init, key, static_cast<uint32_t>(i));
  });
  Variable variable(tensor_of(ctx_, shape, dtype_, values), true);
  entries_.push_back({name, variable, order, flattened_channels, false, norm});
  return variable;
}

Tensor ParameterStore::add_buffer(const std::string& name, const Shape& shape, double value) {
  TS_CHECK(!find(name), "two buffers are named ", name);
  Variable variable(Tensor::full(ctx_, shape, value, dtype_), false);
  entries_.push_back({name, variable, FileOrder::same, 0, true, false});
  return variable.value();
}

void ParameterStore::freeze(const std::string& prefix) {
  TS_CHECK(!values_.defined(), "freeze(", prefix, ") after consolidate");
  for (const ParameterEntry& entry : entries_) {
    if (entry.name.starts_with(prefix)) entry.variable.set_requires_grad(false);
  }
}

void ParameterStore::set_working_dtype(DType dtype) {
  TS_CHECK(compute_dtype(dtype) == dtype_, "a working copy in ", name_of(dtype), " of parameters in ", name_of(dtype_));
  TS_CHECK(!values_.defined(), "set_working_dtype after consolidate");
  working_dtype_ = dtype;
  make_working();
}

void ParameterStore::consolidate() {
  std::vector<std::pair<Variable, int64_t>> places;  // each trained parameter's first element
  int64_t total = 0;
  for (bool norm : {false, true}) {
    if (norm) norm_begin_ = total;
    for (const ParameterEntry& entry : entries_) {
      if (!entry.variable.requires_grad() || entry.norm != norm) continue;
      places.emplace_back(entry.variable, total);
      total += padded(entry.variable.value().elements());
    }
  }
  const auto slice = [](const Tensor& arena, const Variable& variable, int64_t at) {
    return arena.slice(at, at + variable.value().elements()).reshape(variable.shape());
  };
  values_ = Tensor::zeros(ctx_, {total}, dtype_);
  for (const auto& [variable, at] : places) {
    const Tensor home = slice(values_, variable, at);
    home.copy_from(ctx_, variable.value());
    variable.set_value(home);
  }
  ctx_.allocator()->drop_cache();  // the parameters' first homes: no later tensor has their sizes
  gradients_ = Tensor::zeros(ctx_, {total}, dtype_);
  for (const auto& [variable, at] : places) variable.set_grad_home(slice(gradients_, variable, at));
  if (working_dtype_ == dtype_) return;
  working_ = Tensor::empty(ctx_, {total}, working_dtype_);
  for (const auto& [variable, at] : places) variable.set_working(slice(working_, variable, at));
  make_working();
}

void ParameterStore::refresh_working() {
  if (working_.defined()) cast_into(ctx_, values_, working_);
}

// The copies of all parameters, also of those without a place in the arena: frozen ones, and all before consolidate.
void ParameterStore::make_working() {
  if (working_dtype_ == dtype_) return;
  for (const ParameterEntry& entry : entries_) {
    const bool in_arena = working_.defined() && entry.variable.requires_grad();
    if (!entry.buffer && !in_arena) entry.variable.set_working(cast(ctx_, entry.variable.value(), working_dtype_));
  }
  refresh_working();
}

const ParameterEntry* ParameterStore::find(const std::string& name) const {
  for (const ParameterEntry& entry : entries_) {
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

void ParameterStore::clear_gradients() {
  for (const ParameterEntry& entry : entries_) entry.variable.clear_grad();
}

void ParameterStore::complete_gradients() {
  for (const ParameterEntry& entry : entries_) {
    if (entry.variable.requires_grad() && !entry.variable.grad().defined()) {
      const Tensor home = entry.variable.grad_destination(ctx_);
      home.zero(ctx_);
      entry.variable.accumulate(ctx_, home);
    }
  }
}

HostTensors ParameterStore::state_dict() const {
  HostTensors out;
  for (const ParameterEntry& entry : entries_) {
    const OrderMap map(entry);
    const std::vector<float> memory = host_values(ctx_, entry.variable.value());
    std::vector<float> file(memory.size());
    for (size_t i = 0; i < memory.size(); ++i)
      file[static_cast<size_t>(map.file_index(static_cast<int64_t>(i)))] = memory[i];
    out[entry.name] = host_from_float32(map.file_shape(), file);
  }
  return out;
}

ParameterStore::LoadReport ParameterStore::load_state_dict(const HostTensors& tensors, const std::string& source) {
  LoadReport report;
  std::string differing;
  for (const ParameterEntry& entry : entries_) {
    auto found = tensors.find(entry.name);
    if (found == tensors.end())
      report.missing.push_back(entry.name);
    else if (found->second.shape != OrderMap(entry).file_shape()) {
      differing += "\n  " + entry.name + ": file " + shape_text(found->second.shape) + ", model " +
                   shape_text(OrderMap(entry).file_shape());
    }
  }
  TS_CHECK(differing.empty(), source, " does not fit the model; tensors of another shape:", differing);
  for (const auto& [name, tensor] : tensors) {
    const ParameterEntry* entry = find(name);
    if (!entry) {
      report.unexpected.push_back(name);
      continue;
    }
    const OrderMap map(*entry);
    const std::vector<float> file = host_to_float32(tensor, name);
    std::vector<float> memory(file.size());
    for (size_t i = 0; i < memory.size(); ++i)
      memory[i] = file[static_cast<size_t>(map.file_index(static_cast<int64_t>(i)))];
    entry->variable.value().copy_from(ctx_, tensor_of(ctx_, entry->variable.shape(), dtype_, memory));
  }
  make_working();
  return report;
}

}  // namespace tailseg
