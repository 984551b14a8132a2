#include "detection/selective_predictor.h"

#include "autograd/columns_body.h"
#include "detection/selective_predictor_body.h"
#include "tensor/launch.h"

namespace tailseg {
namespace {

struct Layer {
  Variable x, w, b;
  Tensor filters;  // w in x's dtype
  Tensor label, filter_of;
  SelectiveShape shape;
  NormalizedOptions norm;
  Tensor factor, bend;  // [R, P], undefined without normalisation
};

template <class T>
T* data_or_null(const Tensor& tensor) {
  return tensor.defined() ? tensor.data<T>() : nullptr;
}

template <class Scalar>
void forward(Context& ctx, const Layer& l, const Tensor& y) {
  using Real = ComputeType<Scalar>;
  for_each_item(ctx, l.shape.rois * l.shape.tiles,
                SelectiveForward<Scalar>{l.shape,
                                         l.x.value().data<Scalar>(),
                                         l.filters.data<Scalar>(),
                                         l.b.value().data<Real>(),
                                         l.label.data<int32_t>(),
                                         y.data<Real>(),
                                         data_or_null<Real>(l.factor),
                                         data_or_null<Real>(l.bend),
                                         {Real(l.norm.temperature), Real(l.norm.power), Real(l.norm.eps)}});
}

// Each RoI's tiles added up: [R * tiles, columns] to [R, columns]. A class may own most of the RoIs, and one item adds
// for a class; on a card the many tiles are better added before, an item for each RoI.
template <class Real>
Tensor add_tiles(Context& ctx, const SelectiveShape& s, const Tensor& tiles) {
  if (!tiles.defined()) return {};
  const int64_t columns = tiles.elements() / (s.rois * s.tiles), kTile = AddChunks<Real>::kTile;
  const Tensor sums = Tensor::empty(ctx, {s.rois, columns}, tiles.dtype());
  for_each_item(ctx, s.rois * ((columns + kTile - 1) / kTile),
                AddChunks<Real>{tiles.data<Real>(), sums.data<Real>(), s.rois * s.tiles, columns, s.tiles});
  return sums;
}

template <class Scalar>
void backward(Context& ctx, const Layer& l, const Tensor& dy) {
  using Real = ComputeType<Scalar>;
  SelectiveShape s = l.shape;
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
  const bool cuda = ctx.device().is_cuda();
  const Scalar* x = l.x.value().data<Scalar>();
  dispatch_pack<Scalar>(
      cuda, s.features, {x, l.filters.raw(), data_or_null<Scalar>(dx), data_or_null<Real>(dw_tiles)},
      [&]<int64_t kPack>() {
        for_each_item(ctx, s.rois * s.tiles,
                      SelectiveBackward<Scalar, kPack>{s, x, l.filters.data<Scalar>(), dy.data<Real>(),
                                                       l.label.data<int32_t>(), data_or_null<Scalar>(dx),
                                                       data_or_null<Real>(dw_tiles), data_or_null<Real>(db_tiles),
                                                       data_or_null<Real>(l.factor), data_or_null<Real>(l.bend)});
      });
  if (cuda && s.rois > 0 && s.tiles > 1) {
    dw_tiles = add_tiles<Real>(ctx, s, dw_tiles);
    db_tiles = add_tiles<Real>(ctx, s, db_tiles);
    s.tiles = 1;
  }
  if (dw.defined() || db.defined()) {
    dispatch_pack<Real>(cuda, s.features, {data_or_null<Real>(dw_tiles), data_or_null<Real>(dw)}, [&]<int64_t kPack>() {
      SelectiveFilterGradient<Real, kPack> body{s,
                                                l.label.data<int32_t>(),
                                                data_or_null<Real>(dw_tiles),
                                                data_or_null<Real>(db_tiles),
                                                data_or_null<Real>(dw),
                                                data_or_null<Real>(db)};
      if (cuda) body.parts = body.most_parts();
      for_each_item(ctx, s.filters * body.parts, body);
    });
  }
  if (dx.defined()) l.x.accumulate(ctx, dx);
  if (dw.defined()) l.w.accumulate(ctx, dw);
  if (db.defined()) l.b.accumulate(ctx, db);
}

Variable run(Context& ctx, const char* name, Layer layer, const Shape& result, const SelectiveOptions& options) {
  SelectiveShape& shape = layer.shape;
  check_shape(name, layer.b.value(), {shape.filters * shape.outputs});
  check_shape(name, layer.label, {shape.rois});
  if (options.filter_of.defined()) {
    check_shape(name, options.filter_of, {-1});
    layer.filter_of = options.filter_of;
    shape.filter_of = options.filter_of.data<int32_t>();
    shape.classes = options.filter_of.size(0);
  }
  const DType dtype = layer.x.value().dtype(), real = compute_dtype(dtype);
  layer.filters = layer.w.value_as(ctx, dtype);
  if (options.normalized) {
    layer.norm = *options.normalized;
    layer.factor = Tensor::empty(ctx, {shape.rois, shape.positions}, real);
    layer.bend = Tensor::empty(ctx, {shape.rois, shape.positions}, real);
  }
  const Tensor y = Tensor::empty(ctx, result, real);
  dispatch_floating(dtype, name, [&]<class Scalar>(Scalar) { forward<Scalar>(ctx, layer, y); });
  return record(ctx, name, y, {layer.x, layer.w, layer.b}, [layer, name](Context& c, const Tensor& dy) {
    dispatch_floating(layer.x.value().dtype(), name, [&]<class Scalar>(Scalar) { backward<Scalar>(c, layer, dy); });
  });
}

}  // namespace

Variable selective_mask(Context& ctx, const Variable& features, const Variable& weight, const Variable& bias,
                        const Tensor& label, const SelectiveOptions& options) {
  check_shape("selective_mask: features", features.value(), {-1, -1, -1, -1});
  const int64_t rows = features.size(1), columns = features.size(2);
  check_shape("selective_mask: weight", weight.value(), {-1, 1, 1, features.size(3)});
  const NormalizedOptions* norm = options.normalized;
  const Variable filters = norm ? normalize_rows(ctx, weight, 1, norm->power, norm->eps) : weight;
  const SelectiveShape shape{features.size(0), rows * columns, 1, features.size(3), weight.size(0), columns, rows};
  return run(ctx, "selective_mask", {features, filters, bias, {}, label, {}, shape, {}, {}, {}},
             {features.size(0), rows, columns}, options);
}

Variable selective_deltas(Context& ctx, const Variable& features, const Variable& weight, const Variable& bias,
                          const Tensor& label, const SelectiveOptions& options) {
  check_shape("selective_deltas: features", features.value(), {-1, -1});
  check_shape("selective_deltas: weight", weight.value(), {-1, features.size(1)});
  TS_CHECK(weight.size(0) % 4 == 0, "selective_deltas: weight ", weight.shape(), "; expected 4 rows a class");
  TS_CHECK(!options.normalized, "selective_deltas: box offsets come from a plain layer (METHODS 2.1)");
  const SelectiveShape shape{features.size(0), 1, 4, features.size(1), weight.size(0) / 4, 1, 1};
  return run(ctx, "selective_deltas", {features, weight, bias, {}, label, {}, shape, {}, {}, {}}, {features.size(0), 4},
             options);
}

}  // namespace tailseg
