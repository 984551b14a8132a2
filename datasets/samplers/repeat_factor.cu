#include "datasets/samplers/repeat_factor.h"

#include "datasets/samplers/repeat_factor_body.h"
#include "tensor/launch.h"
#include "tensor/sort.h"

namespace tailseg {
namespace {

DType factor_type(const Context& ctx) { return ctx.device().is_cuda() ? DType::float32 : DType::float64; }

int64_t last_value(Context& ctx, const Tensor& x) {
  return x.slice(x.size(0) - 1, x.size(0)).to_vector<int64_t>(ctx)[0];
}

}  // namespace

Tensor class_repeat_factors(Context& ctx, const ClassIndex& index, int64_t photos, const RepeatFactorOptions& options) {
  TS_CHECK(options.threshold >= 0 && options.threshold <= 1, "repeat factors: threshold ", options.threshold,
           ", expected 0 to 1");
  TS_CHECK(options.exponent >= 0 && options.exponent <= 1, "repeat factors: exponent ", options.exponent,
           ", expected 0 to 1");
  const int64_t classes = index.classes();
  check_shape("repeat factors: class index", index.begin, {classes + 1});
  const bool by_objects = options.frequency == RepeatFrequency::instance;
  const int64_t total = by_objects ? index.photos.elements() : photos;
  const Tensor factors = Tensor::empty(ctx, {classes}, factor_type(ctx));
  dispatch_full(factors.dtype(), "repeat factors", [&]<class Real>(Real) {
    for_each_item(
        ctx, classes,
        ClassRepeatFactor<Real>{index.begin.data<int32_t>(), index.objects.data<int32_t>(), factors.data<Real>(), total,
                                by_objects, static_cast<Real>(options.threshold), static_cast<Real>(options.exponent)});
  });
  return factors;
}

Tensor photo_repeat_factors(Context& ctx, const PhotoClasses& photos, const Tensor& class_factors) {
  check_shape("repeat factors: drawable", photos.drawable, {-1});
  const int64_t count = photos.drawable.elements();
  check_shape("repeat factors: begin", photos.begin, {count + 1});
  check_shape("repeat factors: classes", class_factors, {-1});
  const Tensor factors = Tensor::empty(ctx, {count}, class_factors.dtype());
  dispatch_full(factors.dtype(), "repeat factors", [&]<class Real>(Real) {
    for_each_item(
        ctx, count,
        PhotoRepeatFactor<Real>{photos.begin.data<int32_t>(), photos.label.data<int32_t>(),
                                photos.drawable.data<uint8_t>(), class_factors.data<Real>(), factors.data<Real>(),
                                photos.label.elements() / math::max<int64_t>(1, count)});
  });
  return factors;
}

Tensor repeat_draws(Context& ctx, int64_t count, uint64_t seed, uint32_t epoch) {
  const Tensor uniform = Tensor::empty(ctx, {count});
  for_each_item(ctx, count, RepeatDraw{uniform.data<float>(), {seed, random_purpose("repeat factor")}, epoch});
  return uniform;
}

Tensor repeat_counts(Context& ctx, const Tensor& photo_factors, const Tensor& uniform, RepeatRounding rounding) {
  check_shape("repeat counts: factors", photo_factors, {-1});
  const int64_t count = photo_factors.elements();
  check_shape("repeat counts: draws", uniform, {count});
  const Tensor counts = Tensor::empty(ctx, {count}, DType::int64);
  dispatch_full(photo_factors.dtype(), "repeat counts", [&]<class Real>(Real) {
    for_each_item(ctx, count,
                  RepeatCount<Real>{photo_factors.data<Real>(), uniform.data<float>(), counts.data<int64_t>(),
                                    rounding == RepeatRounding::ceil});
  });
  return counts;
}

Tensor repeated_photos(Context& ctx, const Tensor& counts) {
  check_shape("repeated photos: counts", counts, {-1});
  const Tensor begin = exclusive_scan(ctx, counts);
  const int64_t total = last_value(ctx, begin);
  TS_CHECK(total < int64_t{1} << 31, "repeated photos: an epoch of ", total,
           " photos; a smaller threshold shortens it");
  const Tensor photos = Tensor::empty(ctx, {total}, DType::int32);
  for_each_item(ctx, photos.elements(),
                RepeatedPhoto{begin.data<int64_t>(), photos.data<int32_t>(), counts.elements()});
  return photos;
}

}  // namespace tailseg
