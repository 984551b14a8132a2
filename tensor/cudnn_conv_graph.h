// One convolution with its epilogue as cuDNN's operation graph:
//   forward          y  = relu(conv(x, w) + residual + bias)
//   backward data    dx = relu(conv_transposed(dy, w) + bias)
//   backward filter  dw = correlate(x, dy)
// cuDNN reads the number of groups off the channels of input and filters. It names axes N, C, H, W; strides make that
// our N, H, W, C. Sums inside the graph are float32, tensors between its operations exist in registers only. Included
// by conv_cuda.cpp only.
#pragma once

#include "tensor/conv_plan.h"
#include "tensor/cudnn_descriptor.h"

namespace tailseg::cudnn {

// What a tensor is called when pointers are bound to the plan: x and y are the forward direction's input and output.
enum Uid : int64_t { kX = 1, kW, kY, kBias, kResidual, kFirstBetween };

class ConvGraph {
 public:
  explicit ConvGraph(const ConvPlanKey& key) : key_(key) {
    const auto [n, c, h, w] =
        key.direction == ConvDirection::forward ? Sizes{key.n, key.k, key.p, key.q} : Sizes{key.n, key.c, key.h, key.w};
    const bool fused = key.has_epilogue();
    const Descriptor& out = key.direction == ConvDirection::backward_filter ? filters() : tensor(out_uid(), n, c, h, w);
    const Descriptor* current = fused ? &between(n, c, h, w) : &out;
    add_convolution(*current);
    int steps = key.residual + key.bias + key.relu;
    const auto next = [&]() -> const Descriptor& { return --steps == 0 ? out : between(n, c, h, w); };
    if (key.residual) current = &add_pointwise(CUDNN_POINTWISE_ADD, *current, &tensor(kResidual, n, c, h, w), next());
    if (key.bias) current = &add_pointwise(CUDNN_POINTWISE_ADD, *current, &tensor(kBias, 1, c, 1, 1), next());
    if (key.relu) current = &add_pointwise(CUDNN_POINTWISE_RELU_FWD, *current, nullptr, next());
  }

  // The finalized graph, ready for heuristics. A null handle plans without a device.
  const Descriptor& finalize(cudnnHandle_t handle) {
    graph_.set(CUDNN_ATTR_OPERATIONGRAPH_OPS, operations_);
    if (handle) graph_.set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, handle);
    graph_.finalize();
    return graph_;
  }

 private:
  struct Sizes {
    int64_t n, c, h, w;
  };

  int64_t out_uid() const { return key_.direction == ConvDirection::forward ? kY : kX; }
  const Descriptor& keep(Descriptor made) { return *kept_.emplace_back(std::make_unique<Descriptor>(std::move(made))); }

  Descriptor describe(int64_t uid, const Sizes& s, cudnnDataType_t type) const {
    Descriptor made(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    made.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, uid)
        .set(CUDNN_ATTR_TENSOR_DATA_TYPE, type)
        .set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, static_cast<int64_t>(key_.alignment))
        .set(CUDNN_ATTR_TENSOR_DIMENSIONS, std::vector<int64_t>{s.n, s.c, s.h, s.w})
        .set(CUDNN_ATTR_TENSOR_STRIDES, std::vector<int64_t>{s.h * s.w * s.c, 1, s.w * s.c, s.c});
    return made;
  }
  const Descriptor& tensor(int64_t uid, int64_t n, int64_t c, int64_t h, int64_t w) {
    Descriptor made =
        describe(uid, {n, c, h, w}, key_.dtype == DType::bfloat16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT);
    made.finalize();
    return keep(std::move(made));
  }
  const Descriptor& between(int64_t n, int64_t c, int64_t h, int64_t w) {
    Descriptor made = describe(kFirstBetween + betweens_++, {n, c, h, w}, CUDNN_DATA_FLOAT);
    made.set(CUDNN_ATTR_TENSOR_IS_VIRTUAL, true);
    made.finalize();
    return keep(std::move(made));
  }
  const Descriptor& filters() { return tensor(kW, key_.k, key_.c / key_.groups, key_.r, key_.s); }

  const Descriptor& window() {
    const auto both = [](int64_t size) { return std::vector<int64_t>{size, size}; };
    Descriptor made(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
    made.set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_DATA_FLOAT)
        .set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_CROSS_CORRELATION)
        .set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, int64_t{2})
        .set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, both(key_.padding))
        .set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, both(key_.padding))
        .set(CUDNN_ATTR_CONVOLUTION_DILATIONS, both(key_.dilation))
        .set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, both(key_.stride));
    made.finalize();
    return keep(std::move(made));
  }

  void add_convolution(const Descriptor& result) {
    const auto x = [&]() -> const Descriptor& { return tensor(kX, key_.n, key_.c, key_.h, key_.w); };
    const auto y = [&]() -> const Descriptor& { return tensor(kY, key_.n, key_.k, key_.p, key_.q); };
    const auto operation = [&](cudnnBackendDescriptorType_t type, cudnnBackendAttributeName_t alpha,
                               cudnnBackendAttributeName_t beta, cudnnBackendAttributeName_t geometry) -> Descriptor& {
      Descriptor& made = operations_.emplace_back(type);
      return made.set(alpha, 1.0f).set(beta, 0.0f).set(geometry, window());
    };
    switch (key_.direction) {
      case ConvDirection::forward:
        operation(CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
                  CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA,
                  CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC)
            .set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, x())
            .set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, filters())
            .set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, result)
            .finalize();
        break;
      case ConvDirection::backward_data:
        operation(CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
                  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA,
                  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC)
            .set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY, y())
            .set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W, filters())
            .set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, result)
            .finalize();
        break;
      case ConvDirection::backward_filter:
        operation(CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
                  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA,
                  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC)
            .set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X, x())
            .set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY, y())
            .set(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW, result)
            .finalize();
        break;
    }
  }

  const Descriptor& add_pointwise(cudnnPointwiseMode_t mode, const Descriptor& in, const Descriptor* other,
                                  const Descriptor& out) {
    Descriptor rule(CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
    rule.set(CUDNN_ATTR_POINTWISE_MODE, mode).set(CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_DATA_FLOAT);
    rule.finalize();
    Descriptor& made = operations_.emplace_back(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
    made.set(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, keep(std::move(rule)))
        .set(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, in)
        .set(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, out);
    if (other) made.set(CUDNN_ATTR_OPERATION_POINTWISE_BDESC, *other);
    made.finalize();
    return out;
  }

  ConvPlanKey key_;
  int64_t betweens_ = 0;
  std::vector<std::unique_ptr<Descriptor>> kept_;  // everything an operation points to
  std::vector<Descriptor> operations_;
  Descriptor graph_{CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR};
};

}  // namespace tailseg::cudnn
