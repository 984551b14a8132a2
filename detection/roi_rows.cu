#include "detection/roi_rows.h"

#include "detection/roi_rows_body.h"
#include "tensor/launch.h"

namespace tailseg {
namespace {

template <class T>
void gather_rows_of(Context& ctx, const Tensor& x, const Tensor& index, const Tensor& out, T absent) {
  const int64_t width = x.shape().with(0, 1).elements();
  for_each_item(ctx, index.elements(), GatherRows<T>{x.data<T>(), index.data<int32_t>(), out.data<T>(), width, absent});
}

}  // namespace

Tensor flat_rows(const Tensor& x) {
  std::vector<int64_t> shape = x.shape().vector();
  shape[1] *= shape[0];
  shape.erase(shape.begin());
  return x.reshape(Shape(shape));
}

Tensor gather_rows(Context& ctx, const Tensor& x, const Tensor& index) {
  TS_CHECK(x.defined() && x.axes() > 0 && index.defined(), "gather_rows of ", x.shape(), " by ", index.shape());
  const Tensor out = Tensor::empty(ctx, x.shape().with(0, index.elements()), x.dtype());
  switch (x.dtype()) {
    case DType::float32:
      gather_rows_of<float>(ctx, x, index, out, 0);
      break;
    case DType::float64:
      gather_rows_of<double>(ctx, x, index, out, 0);
      break;
    case DType::int32:
      gather_rows_of<int32_t>(ctx, x, index, out, -1);
      break;
    default:
      fail("gather_rows of ", name_of(x.dtype()));
  }
  return out;
}

Tensor image_by_label(Context& ctx, const Tensor& label) {
  check_shape("image_by_label: label", label, {-1, -1});
  const Tensor image = Tensor::empty(ctx, {label.elements()}, DType::int32);
  for_each_item(ctx, label.elements(),
                ImageOfRow{label.data<int32_t>(), nullptr, image.data<int32_t>(), label.size(1)});
  return image;
}

Tensor image_by_count(Context& ctx, const Tensor& count, int64_t per_image) {
  check_shape("image_by_count: count", count, {-1});
  const Tensor image = Tensor::empty(ctx, {count.size(0) * per_image}, DType::int32);
  for_each_item(ctx, image.elements(), ImageOfRow{nullptr, count.data<int32_t>(), image.data<int32_t>(), per_image});
  return image;
}

Tensor foreground_labels(Context& ctx, const Tensor& label, int64_t classes) {
  const Tensor out = Tensor::empty(ctx, label.shape(), DType::int32);
  for_each_item(ctx, label.elements(),
                ForegroundLabel{label.data<int32_t>(), out.data<int32_t>(), static_cast<int32_t>(classes)});
  return out;
}

Tensor object_of_row(Context& ctx, const Tensor& image, const Tensor& matched, int64_t per_image) {
  check_shape("object_of_row: matched", matched, {image.size(0)});
  const Tensor out = Tensor::empty(ctx, image.shape(), DType::int32);
  for_each_item(ctx, image.elements(),
                ObjectOfRow{image.data<int32_t>(), matched.data<int32_t>(), out.data<int32_t>(),
                            static_cast<int32_t>(per_image)});
  return out;
}

Tensor rows_for_head(Context& ctx, const Tensor& label, int64_t below, int64_t capacity) {
  check_shape("rows_for_head: label", label, {-1, -1});
  const int64_t images = label.size(0), per_image = label.size(1);
  std::vector<int32_t> rows;
  if (ctx.fixed_sizes()) {
    const int64_t taken = std::min(capacity, per_image);
    for (int64_t n = 0; n < images; ++n) {
      for (int64_t i = 0; i < taken; ++i) rows.push_back(static_cast<int32_t>(n * per_image + i));
    }
  } else {
    const int32_t* labels = label.data<int32_t>();
    for (int64_t row = 0; row < label.elements(); ++row) {
      if (labels[row] >= 0 && labels[row] < below) rows.push_back(static_cast<int32_t>(row));
    }
  }
  return Tensor::from(ctx, {static_cast<int64_t>(rows.size())}, rows);
}

Tensor sigmoid(Context& ctx, const Tensor& logits) {
  Tensor out;
  dispatch_floating(logits.dtype(), "sigmoid", [&]<class Scalar>(Scalar) {
    using Real = ComputeType<Scalar>;
    out = Tensor::empty(ctx, logits.shape(), dtype_of<Real>());
    for_each_item(ctx, logits.elements(), SigmoidElement<Scalar>{logits.data<Scalar>(), out.data<Real>()});
  });
  return out;
}

}  // namespace tailseg
