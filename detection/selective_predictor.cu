#include "detection/selective_predictor.h"

#include "detection/selective_predictor_body.h"
#include "tensor/launch.h"

namespace tailseg {
namespace {

struct Layer {
  Variable x, w, b;
  Tensor label;
  SelectiveShape shape;
};

template <class Scalar>
void forward(Context& ctx, const Layer& l, const Tensor& y) {
  for_each_item(ctx, l.shape.rois * l.shape.tiles,
                SelectiveForward<Scalar>{l.shape, l.x.value().data<Scalar>(), l.w.value().data<Scalar>(),
                                         l.b.value().data<Scalar>(), l.label.data<int32_t>(), y.data<Scalar>()});
}

template <class Scalar>
void backward(Context& ctx, const Layer& l, const Tensor& dy) {
  using Real = ComputeType<Scalar>;
  const SelectiveShape& s = l.shape;
  Tensor dx, dw, db, dw_tiles, db_tiles;
  if (l.x.requires_grad()) dx = l.x.grad_destination(ctx);
  if (l.w.requires_grad()) {
    dw = l.w.grad_destination(ctx);
    dw_tiles = Tensor::empty(ctx, {s.rois * s.tiles, s.outputs, s.features}, dtype_of<Real>());
  }
  if (l.b.requires_grad()) {
    db = l.b.grad_destination(ctx);
    db_tiles = Tensor::empty(ctx, {s.rois * s.tiles, s.outputs}, dtype_of<Real>());
  }
  auto data = []<class T>(const Tensor& t, T) { return t.defined() ? t.data<T>() : nullptr; };
  for_each_item(ctx, s.rois * s.tiles,
                SelectiveBackward<Scalar>{s, l.x.value().data<Scalar>(), l.w.value().data<Scalar>(), dy.data<Scalar>(),
                                          l.label.data<int32_t>(), data(dx, Scalar{}), data(dw_tiles, Real{}),
                                          data(db_tiles, Real{})});
  if (dw.defined() || db.defined()) {
    for_each_item(ctx, s.classes,
                  SelectiveFilterGradient<Scalar>{s, l.label.data<int32_t>(), data(dw_tiles, Real{}),
                                                  data(db_tiles, Real{}), data(dw, Scalar{}), data(db, Scalar{})});
  }
  if (dx.defined()) l.x.accumulate(ctx, dx);
  if (dw.defined()) l.w.accumulate(ctx, dw);
  if (db.defined()) l.b.accumulate(ctx, db);
}

Variable run(Context& ctx, const char* name, const Layer& layer, const Shape& result) {
  check_shape(name, layer.b.value(), {layer.shape.classes * layer.shape.outputs});
  check_shape(name, layer.label, {layer.shape.rois});
  const DType dtype = layer.x.value().dtype();
  const Tensor y = Tensor::empty(ctx, result, dtype);
  dispatch_floating(dtype, name, [&]<class Scalar>(Scalar) { forward<Scalar>(ctx, layer, y); });
  return record(ctx, name, y, {layer.x, layer.w, layer.b}, [layer, name](Context& c, const Tensor& dy) {
    dispatch_floating(dy.dtype(), name, [&]<class Scalar>(Scalar) { backward<Scalar>(c, layer, dy); });
  });
}

}  // namespace

Variable selective_mask(Context& ctx, const Variable& features, const Variable& weight, const Variable& bias,
                        const Tensor& label) {
  check_shape("selective_mask: features", features.value(), {-1, -1, -1, -1});
  const int64_t rows = features.size(1), columns = features.size(2);
  check_shape("selective_mask: weight", weight.value(), {-1, 1, 1, features.size(3)});
  const SelectiveShape shape{features.size(0), rows * columns, 1, features.size(3), weight.size(0), columns, rows};
  return run(ctx, "selective_mask", {features, weight, bias, label, shape}, {features.size(0), rows, columns});
}

Variable selective_deltas(Context& ctx, const Variable& features, const Variable& weight, const Variable& bias,
                          const Tensor& label) {
  check_shape("selective_deltas: features", features.value(), {-1, -1});
  check_shape("selective_deltas: weight", weight.value(), {-1, features.size(1)});
  TS_CHECK(weight.size(0) % 4 == 0, "selective_deltas: weight ", weight.shape(), "; expected 4 rows a class");
  const SelectiveShape shape{features.size(0), 1, 4, features.size(1), weight.size(0) / 4, 1, 1};
  return run(ctx, "selective_deltas", {features, weight, bias, label, shape}, {features.size(0), 4});
}

}  // namespace tailseg
