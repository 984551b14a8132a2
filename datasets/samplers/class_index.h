// Which photos show which class: the table that every sampler but the random one starts from.
//
//   n_c = photos with at least one object of class c,  m_c = objects of class c
//
// An object is a pair (photo, class), photos by their index in AnnotationSet::images everywhere: there is no second
// numbering that photos without labels could shift (mmdetection issue 10038). Steps: a stable sort by class, in which
// the objects of one photo stay neighbours; a flag at the first object of each pair; a prefix sum of the flags, which
// tells each pair its place.
#pragma once

#include "tensor/tensor.h"

namespace tailseg {

struct ClassIndex {
  Tensor photos;   // [A] int32: the photos of class 0, ascending, then of class 1, ...; unused behind begin[C]
  Tensor begin;    // [C + 1] int32: class c owns photos[begin[c]] .. photos[begin[c + 1] - 1], n_c of them
  Tensor objects;  // [C] int32: m_c

  int64_t classes() const { return objects.size(0); }
};

// photo [A] int32 ascending, label [A] int32 in 0 .. classes - 1 (at most 2^24). A may be 0.
ClassIndex class_index(Context& ctx, const Tensor& photo, const Tensor& label, int64_t classes);

}  // namespace tailseg
