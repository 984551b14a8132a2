// From cuDNN's operation graph to numbers, and the numbers as text.
#include "tests/card/cudnn_plan.h"

#include <cctype>
#include <cstdlib>
#include <cstring>
#include <map>

#include "tests/card/cudnn_store.h"

namespace tailseg::card {
namespace {

constexpr const char* kTitle = "{\"plan of the emulated card, 1\": [";

Number number_of(cudnnDataType_t type) {
  if (type == CUDNN_DATA_FLOAT) return Number::float32;
  if (type == CUDNN_DATA_BFLOAT16) return Number::bfloat16;
  refuse_cudnn("a tensor of another type than float and bfloat16", CUDNN_STATUS_NOT_SUPPORTED_DATA_TYPE);
}

template <size_t kCount>
std::array<int64_t, kCount> numbers(const Stored& of, cudnnBackendAttributeName_t name) {
  const auto values = of.values<int64_t>(name);
  if (values.size() != kCount) refuse_cudnn("attribute " + std::to_string(name) + ": another number of dimensions");
  std::array<int64_t, kCount> out;
  std::copy(values.begin(), values.end(), out.begin());
  return out;
}

// Reads tensors; one that comes twice must be the same both times.
class TensorReader {
 public:
  PlanTensor operator()(const Stored& operation, cudnnBackendAttributeName_t name) {
    const Stored& from = operation.descriptor(name);
    if (from.type != CUDNN_BACKEND_TENSOR_DESCRIPTOR) refuse_cudnn("an operand that is no tensor");
    PlanTensor tensor;
    tensor.uid = from.value<int64_t>(CUDNN_ATTR_TENSOR_UNIQUE_ID);
    tensor.alignment = from.value<int64_t>(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT);
    tensor.is_virtual = from.has(CUDNN_ATTR_TENSOR_IS_VIRTUAL) && from.value<bool>(CUDNN_ATTR_TENSOR_IS_VIRTUAL);
    tensor.type = number_of(from.value<cudnnDataType_t>(CUDNN_ATTR_TENSOR_DATA_TYPE));
    tensor.size = numbers<4>(from, CUDNN_ATTR_TENSOR_DIMENSIONS);
    tensor.stride = numbers<4>(from, CUDNN_ATTR_TENSOR_STRIDES);
    const auto known = known_.emplace(tensor.uid, tensor);
    if (known.first->second != tensor) refuse_cudnn("two tensors with one unique id");
    return tensor;
  }

 private:
  std::map<int64_t, PlanTensor> known_;
};

struct Names {
  Direction direction;
  cudnnBackendAttributeName_t x, w, y, window, alpha, beta;
};

const Names* names_of(cudnnBackendDescriptorType_t type) {
  static const Names forward{Direction::forward,
                             CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
                             CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
                             CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
                             CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
                             CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
                             CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA};
  static const Names data{Direction::backward_data,
                          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
                          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
                          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
                          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
                          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
                          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA};
  static const Names filter{Direction::backward_filter,
                            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
                            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
                            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
                            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
                            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
                            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA};
  switch (type) {
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR:
      return &forward;
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR:
      return &data;
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR:
      return &filter;
    default:
      return nullptr;
  }
}

void check_window(const ConvPlan& plan) {
  const auto &x = plan.x.size, &w = plan.w.size, &y = plan.y.size;
  for (const PlanTensor* tensor : {&plan.x, &plan.w, &plan.y}) {
    for (int64_t size : tensor->size) {
      if (size < 1) refuse_cudnn("an empty tensor");
    }
  }
  if (x[1] % w[1] != 0 || w[0] % (x[1] / w[1]) != 0) refuse_cudnn("the channels do not fit into groups");
  if (x[0] != y[0] || y[1] != w[0]) refuse_cudnn("input, filters and output do not fit together");
  for (size_t i = 0; i < 2; ++i) {
    if (plan.stride[i] < 1 || plan.dilation[i] < 1 || plan.padding[i] < 0) refuse_cudnn("an impossible window");
    const int64_t reach = plan.dilation[i] * (w[i + 2] - 1) + 1;
    const int64_t size = (x[i + 2] + 2 * plan.padding[i] - reach) / plan.stride[i] + 1;
    if (x[i + 2] + 2 * plan.padding[i] < reach || size != y[i + 2]) refuse_cudnn("the output has another size");
  }
}

void read_convolution(const Stored& operation, TensorReader& read, ConvPlan& plan) {
  const Names& names = *names_of(operation.type);
  plan.direction = names.direction;
  plan.x = read(operation, names.x);
  plan.w = read(operation, names.w);
  plan.y = read(operation, names.y);
  if (operation.value<float>(names.alpha) != 1 || operation.value<float>(names.beta) != 0) {
    refuse_cudnn("alpha is not 1, or beta not 0", CUDNN_STATUS_NOT_SUPPORTED);
  }
  const Stored& window = operation.descriptor(names.window);
  if (window.value<int64_t>(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS) != 2) refuse_cudnn("not two spatial dimensions");
  if (window.value<cudnnConvolutionMode_t>(CUDNN_ATTR_CONVOLUTION_CONV_MODE) != CUDNN_CROSS_CORRELATION ||
      window.value<cudnnDataType_t>(CUDNN_ATTR_CONVOLUTION_COMP_TYPE) != CUDNN_DATA_FLOAT) {
    refuse_cudnn("a convolution that is not emulated", CUDNN_STATUS_NOT_SUPPORTED);
  }
  plan.padding = numbers<2>(window, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS);
  plan.stride = numbers<2>(window, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES);
  plan.dilation = numbers<2>(window, CUDNN_ATTR_CONVOLUTION_DILATIONS);
  if (plan.padding != numbers<2>(window, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS)) {
    refuse_cudnn("padding that is not the same on both sides", CUDNN_STATUS_NOT_SUPPORTED_PADDING);
  }
  check_window(plan);
  plan.out = plan.direction == Direction::forward         ? plan.y
             : plan.direction == Direction::backward_data ? plan.x
                                                          : plan.w;
}

// What is done to the convolution's result, in the order in which the operations hand it on.
size_t read_steps(const Attribute& operations, TensorReader& read, ConvPlan& plan) {
  size_t used = 1;
  while (plan.out.is_virtual && used < operations.descriptors.size() + 1) {
    const int64_t from = plan.out.uid;
    for (const StoredPointer& operation : operations.descriptors) {
      if (operation->type != CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR) continue;
      if (read(*operation, CUDNN_ATTR_OPERATION_POINTWISE_XDESC).uid != from) continue;
      const Stored& rule = operation->descriptor(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR);
      const auto mode = rule.value<cudnnPointwiseMode_t>(CUDNN_ATTR_POINTWISE_MODE);
      PlanStep step;
      step.relu = mode == CUDNN_POINTWISE_RELU_FWD;
      if (!step.relu && mode != CUDNN_POINTWISE_ADD) refuse_cudnn("pointwise mode", CUDNN_STATUS_NOT_SUPPORTED);
      if (!step.relu) step.added = read(*operation, CUDNN_ATTR_OPERATION_POINTWISE_BDESC);
      plan.steps.push_back(step);
      const auto size = plan.out.size;
      plan.out = read(*operation, CUDNN_ATTR_OPERATION_POINTWISE_YDESC);
      if (plan.out.size != size) refuse_cudnn("a pointwise operation that changes the size");
      ++used;
    }
    if (plan.out.uid == from) refuse_cudnn("a virtual tensor that nothing reads");
  }
  return used;
}

template <class Numbers, class Visit>
void visit(Numbers& plan, Visit number) {
  const auto tensor = [&](auto& of) {
    number(of.uid);
    number(of.alignment);
    number(of.is_virtual);
    number(of.type);
    for (auto& size : of.size) number(size);
    for (auto& stride : of.stride) number(stride);
  };
  number(plan.direction);
  number(plan.engine);
  number(plan.workspace);
  for (auto* of : {&plan.x, &plan.w, &plan.y, &plan.out}) tensor(*of);
  for (auto* pair : {&plan.padding, &plan.stride, &plan.dilation}) {
    number((*pair)[0]);
    number((*pair)[1]);
  }
  for (auto& step : plan.steps) {
    number(step.relu);
    tensor(step.added);
  }
}

}  // namespace

ConvPlan plan_of_graph(const Stored& graph) {
  const Attribute& operations = graph.at(CUDNN_ATTR_OPERATIONGRAPH_OPS);
  ConvPlan plan;
  TensorReader read;
  int convolutions = 0;
  for (const StoredPointer& operation : operations.descriptors) {
    if (!names_of(operation->type)) continue;
    ++convolutions;
    read_convolution(*operation, read, plan);
  }
  if (convolutions != 1) refuse_cudnn("not one convolution", CUDNN_STATUS_NOT_SUPPORTED_GRAPH_PATTERN);
  if (read_steps(operations, read, plan) != operations.descriptors.size()) {
    refuse_cudnn("an operation that hangs on nothing", CUDNN_STATUS_NOT_SUPPORTED_GRAPH_PATTERN);
  }
  return plan;
}

std::vector<PlanTensor> ConvPlan::bound() const {
  std::vector<PlanTensor> all{x, w, y};
  all[static_cast<size_t>(direction == Direction::forward ? 2 : direction == Direction::backward_data ? 0 : 1)] = out;
  for (const PlanStep& step : steps) {
    if (!step.relu) all.push_back(step.added);
  }
  return all;
}

std::string ConvPlan::json() const {
  std::string text = kTitle + std::to_string(steps.size());
  visit(*this, [&](auto value) { text += ", " + std::to_string(static_cast<int64_t>(value)); });
  return text + "]}";
}

ConvPlan plan_from_json(const std::string& json) {
  if (json.rfind(kTitle, 0) != 0 || json.size() < 2 || json.substr(json.size() - 2) != "]}") {
    refuse_cudnn("text that is no plan of this library");
  }
  const char* at = json.c_str() + std::strlen(kTitle);
  const auto next = [&] {
    char* end = nullptr;
    const int64_t value = std::strtoll(at, &end, 10);
    if (end == at) refuse_cudnn("text that is no whole plan");
    at = end;
    while (*at == ',' || std::isspace(static_cast<unsigned char>(*at))) ++at;
    return value;
  };
  ConvPlan plan;
  const int64_t steps = next();
  if (steps < 0 || steps > 8) refuse_cudnn("text that is no plan");
  plan.steps.resize(static_cast<size_t>(steps));
  visit(plan, [&](auto& value) { value = static_cast<std::remove_reference_t<decltype(value)>>(next()); });
  check_window(plan);
  return plan;
}

std::string refusal(const ConvPlan& plan) {
  const char* setting = std::getenv("TAILSEG_CARD_REFUSE_FUSED");
  if (plan.steps.empty()) return {};
  if (setting && std::strcmp(setting, "0") != 0) return "TAILSEG_CARD_REFUSE_FUSED is set";
  // cuDNN 9.19, asked for an H200: no engine in any type.
  if (plan.direction != Direction::forward) return "no epilogue behind gradients";
  return {};
}

}  // namespace tailseg::card
