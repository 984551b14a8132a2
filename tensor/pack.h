// Packs: neighbouring elements that a lane reads or writes at once. A GPU hides the way to its memory only behind bytes
// that are under way, about 23 KiB on each multiprocessor of an H200 (4.3 TB/s x 0.7 us / 132). Its 2048 threads with
// one bfloat16 each have 4 KiB under way; with 16 bytes each, 32 KiB.
//
// The same body runs with packs of one, for tensors whose size or address does not fit, and on a CPU, whose compiler
// makes vectors of plain loops.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <type_traits>

#include "tensor/dtype.h"

namespace tailseg {

// Of 16 bytes or less they are read at once; twice as much, float32 beside bfloat16, in two halves.
template <class Scalar, int64_t kPack>
struct alignas(sizeof(Scalar) * kPack < 16 ? sizeof(Scalar) * kPack : 16) Pack {
  Scalar at[kPack];
};

// Pack i of an array: its elements i * kPack and following. In a loop over rows nvcc loses sight of the alignment of an
// element's address (read_pack(x + at, 0)) and moves 2 bytes at a time: count packs there (read_pack(x, at / kPack)).
template <int64_t kPack, class Scalar>
TS_HD inline Pack<Scalar, kPack> read_pack(const Scalar* from, int64_t i) {
  return reinterpret_cast<const Pack<Scalar, kPack>*>(from)[i];
}
template <int64_t kPack, class Scalar>
TS_HD inline void write_pack(Scalar* to, int64_t i, const Pack<Scalar, kPack>& pack) {
  reinterpret_cast<Pack<Scalar, kPack>*>(to)[i] = pack;
}

// f(an element of each input) for every element of pack i.
template <int64_t kPack, class Out, class Function, class... In>
TS_HD inline void map_pack(int64_t i, Out* out, Function f, const In*... in) {
  const auto each = [&f](const Pack<In, kPack>&... packs) {
    Pack<Out, kPack> made;
    for (int64_t v = 0; v < kPack; ++v) made.at[v] = f(packs.at[v]...);
    return made;
  };
  write_pack<kPack>(out, i, each(read_pack<kPack>(in, i)...));
}

// Calls f<kPack>(): 16 bytes of Scalar on a GPU when `elements` (the length of what lies together: the whole tensor, or
// the channels of a pixel) is a multiple of it and every pointer is aligned; else 1. Null pointers are aligned.
template <class Scalar, class Pointers = std::initializer_list<const void*>, class Function>
void dispatch_pack(bool cuda, int64_t elements, const Pointers& pointers, Function&& f) {
  if constexpr (!std::is_same_v<Scalar, double>) {
    constexpr int64_t kPack = 16 / sizeof(Scalar);
    bool fits = cuda && elements % kPack == 0;
    for (const void* pointer : pointers) fits = fits && reinterpret_cast<uintptr_t>(pointer) % 16 == 0;
    if (fits) return f.template operator()<kPack>();
  }
  f.template operator()<1>();
}

}  // namespace tailseg
