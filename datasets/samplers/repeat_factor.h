// Repeat factor sampling (Gupta et al., "LVIS", CVPR 2019, section 4; METHODS 3.2): photos of rare classes come several
// times in an epoch.
//
//   f_c = n_c / photos              photos that show class c; or by objects: m_c / objects
//   r_c = max(1, (t / f_c)^a)       t = 1e-3, a = 1/2; a class above t is left alone, t = 0 leaves all alone
//   r_I = max r_c over the classes that photo I shows; 1 when it shows none
//
// The implementations part here, with a visible effect on AP: detectron2 draws floor(r_I) copies and one more with
// probability r_I - floor(r_I), anew each epoch, so that E[copies] = r_I; mmdetection's ClassBalancedDataset shows
// ceil(r_I) copies in every epoch, so that any r_I above 1 gives at least two.
//
// The arithmetic follows the references operation by operation: float64 on the CPU, so that ceil meets the same
// numbers.
#pragma once

#include "datasets/samplers/class_index.h"
#include "tensor/philox.h"

namespace tailseg {

enum class RepeatRounding : unsigned char { stochastic, ceil };
enum class RepeatFrequency : unsigned char { image, instance };

struct RepeatFactorOptions {
  double threshold = 1e-3, exponent = 0.5;
  RepeatFrequency frequency = RepeatFrequency::image;
  RepeatRounding rounding = RepeatRounding::stochastic;
};

// The objects of each photo: photo i shows the classes label[begin[i]] .. label[begin[i + 1] - 1]. drawable [I] uint8:
// 1 where training may draw the photo.
struct PhotoClasses {
  Tensor begin;     // [I + 1] int32
  Tensor label;     // [A] int32
  Tensor drawable;  // [I] uint8
};

// r_c [C]: float64 on the CPU, float32 on a GPU; 1 for a class without a photo. `photos`: the drawable ones.
Tensor class_repeat_factors(Context& ctx, const ClassIndex& index, int64_t photos, const RepeatFactorOptions& options);

// r_I [I] of the same dtype; 0 for a photo that is not drawable.
Tensor photo_repeat_factors(Context& ctx, const PhotoClasses& photos, const Tensor& class_factors);

// Copies of each photo in one epoch, [I] int64. uniform [I] float32 in [0, 1): one more copy where it is below the
// fraction (stochastic only).
Tensor repeat_counts(Context& ctx, const Tensor& photo_factors, const Tensor& uniform, RepeatRounding rounding);

// The draws of an epoch, [count] float32, keyed by seed, epoch and photo.
Tensor repeat_draws(Context& ctx, int64_t count, uint64_t seed, uint32_t epoch);

// counts [I] -> each photo's index as often as its count says, ascending, [sum of counts] int32. Waits for the device.
Tensor repeated_photos(Context& ctx, const Tensor& counts);

}  // namespace tailseg
