#include "detection/box_coder.h"

#include <algorithm>

#include "detection/box_coder_body.h"
#include "tensor/launch.h"

namespace tailseg {
namespace {

void check_alike(const char* what, const Tensor& references, const Tensor& other) {
  TS_CHECK(references.dtype() == other.dtype(), what, ": references are ", name_of(references.dtype()),
           ", the other operand is ", name_of(other.dtype()));
}

template <class Real>
Clipper<Real> clipper_of(const ClipToImages& clip, int64_t rows) {
  if (!clip.sizes) return {nullptr, 1};
  check_shape("decode_boxes: image sizes", *clip.sizes, {-1, 2});
  const int64_t images = clip.sizes->size(0);
  if (rows == 0) return {clip.sizes->data<int32_t>(), 1};
  TS_CHECK(images > 0 && rows % images == 0, "decode_boxes: ", rows, " rows cannot belong to ", images,
           " images in equal parts");
  return {clip.sizes->data<int32_t>(), std::max<int64_t>(rows / images, 1)};
}

int64_t classes_of(const Tensor& references, const Tensor& deltas) {
  check_shape("decode_boxes: references", references, {-1, 4});
  check_shape("decode_boxes: offsets", deltas, {references.size(0), -1});
  TS_CHECK(deltas.size(1) % 4 == 0, "decode_boxes: offsets ", deltas.shape(), " are not four for each class");
  check_alike("decode_boxes", references, deltas);
  return deltas.size(1) / 4;
}

}  // namespace

Tensor encode_boxes(Context& ctx, const Tensor& references, const Tensor& targets, const BoxCoderOptions& options) {
  check_shape("encode_boxes: references", references, {-1, 4});
  check_shape("encode_boxes: targets", targets, {references.size(0), 4});
  check_alike("encode_boxes", references, targets);
  Tensor deltas = Tensor::empty(ctx, references.shape(), references.dtype());
  dispatch_full(references.dtype(), "encode_boxes", [&]<class Real>(Real) {
    for_each_item(ctx, references.size(0),
                  EncodeBoxes<Real>{references.data<Real>(), targets.data<Real>(), deltas.data<Real>(),
                                    BoxCoder<Real>::of(options)});
  });
  return deltas;
}

Tensor decode_boxes(Context& ctx, const Tensor& references, const Tensor& deltas, const BoxCoderOptions& options,
                    const ClipToImages& clip) {
  const int64_t classes = classes_of(references, deltas), rows = references.size(0);
  Tensor boxes = Tensor::empty(ctx, {rows, classes, 4}, deltas.dtype());
  dispatch_full(deltas.dtype(), "decode_boxes", [&]<class Real>(Real) {
    for_each_item(ctx, rows,
                  DecodeBoxes<Real>{references.data<Real>(), deltas.data<Real>(), boxes.data<Real>(), classes,
                                    BoxCoder<Real>::of(options), clipper_of<Real>(clip, rows)});
  });
  return boxes;
}

}  // namespace tailseg
