// cvt: between integers, between floats, and from each to the other. Values of 8 bits travel in 16, as in registers.
#include <cfenv>
#include <cmath>
#include <type_traits>

#include "tests/card/ptx_float.h"
#include "tests/card/ptx_table.h"

namespace tailseg::card {
namespace {

template <class T>
using Carrier = std::conditional_t<sizeof(T) == 1, std::conditional_t<std::is_signed_v<T>, int16_t, uint16_t>, T>;

template <class D, class S>
Carrier<D> cast(Carrier<S> a) {
  return static_cast<Carrier<D>>(static_cast<D>(static_cast<S>(a)));
}

template <class D, class S>
Carrier<D> clamp(Carrier<S> a) {
  const S x = static_cast<S>(a);
  using Limits = std::numeric_limits<D>;
  if (std::is_signed_v<S> && x < 0) {
    if (!std::is_signed_v<D>) return 0;
    const auto low = static_cast<int64_t>(Limits::min());
    return static_cast<Carrier<D>>(static_cast<int64_t>(x) < low ? Limits::min() : static_cast<D>(x));
  }
  const bool fits = static_cast<uint64_t>(x) <= static_cast<uint64_t>(Limits::max());
  return static_cast<Carrier<D>>(fits ? static_cast<D>(x) : Limits::max());
}

enum class Whole { nearest, zero, down, up, none };

template <Whole how, class T>
T whole(T x) {
  switch (how) {
    case Whole::nearest:
      return std::nearbyint(x);
    case Whole::zero:
      return std::trunc(x);
    case Whole::down:
      return std::floor(x);
    case Whole::up:
      return std::ceil(x);
    case Whole::none:
      return x;
  }
}

// Saturates. NaN gives 0, but the lowest signed number's bits when 64 bits are involved.
template <Whole how, bool ftz, class D, class S>
Carrier<D> to_integer(S a) {
  const S x = whole<how>(flushed<ftz>(a));
  using Limits = std::numeric_limits<D>;
  if (x != x) {
    if (sizeof(S) < 8 && sizeof(D) < 8) return 0;
    return static_cast<Carrier<D>>(static_cast<D>(uint64_t{1} << (8 * sizeof(D) - 1)));
  }
  // max() + 1 is a power of two: exact in every float type.
  const S end = static_cast<S>(std::ldexp(S{1}, Limits::digits));
  if (x >= end) return static_cast<Carrier<D>>(Limits::max());
  if (x <= (std::is_signed_v<D> ? -end : S{0})) return static_cast<Carrier<D>>(Limits::min());
  return static_cast<Carrier<D>>(static_cast<D>(x));
}

template <class D, class S>
D to_float(Carrier<S> a) {
  return static_cast<D>(static_cast<S>(a));
}
template <bool ftz, bool sat, class D, class S>
D resized(S a) {
  return finished<ftz, sat>(static_cast<D>(flushed<ftz>(a)));
}
template <Whole how, bool ftz, bool sat, class T>
T made_whole(T a) {
  return finished<ftz, sat>(whole<how>(flushed<ftz>(a)));
}

template <auto F, int mode>
struct UnderMode {
  [[gnu::noinline]] static void loop(const Instruction& in, WarpState& warp, uint32_t lanes) {
    OnLanes<F>::each(in, warp, lanes);
    asm volatile("" ::: "memory");
  }
  static void run(const Instruction& in, WarpState& warp, uint32_t lanes) {
    std::fesetround(mode);
    loop(in, warp, lanes);
    std::fesetround(FE_TONEAREST);
  }
};
template <auto F>
void add_rounded(Table& table, const std::string& tail) {
  add_row<F>(table, "cvt.rn" + tail);
  table["cvt.rz" + tail] = OnLanes<F>::operation(UnderMode<F, FE_TOWARDZERO>::run);
  table["cvt.rm" + tail] = OnLanes<F>::operation(UnderMode<F, FE_DOWNWARD>::run);
  table["cvt.rp" + tail] = OnLanes<F>::operation(UnderMode<F, FE_UPWARD>::run);
}

template <class T>
std::string type_name() {
  const char* letter = std::is_floating_point_v<T> ? "f" : std::is_signed_v<T> ? "s" : "u";
  return "." + (letter + std::to_string(8 * sizeof(T)));
}

template <Whole how, class D>
void add_to_integer(Table& table, const std::string& mode) {
  for (const char* sat : {"", ".sat"}) {  // it saturates anyway
    const std::string to = sat + type_name<D>();
    add_slow_row<&to_integer<how, false, D, float>>(table, "cvt" + mode + to + ".f32");
    add_slow_row<&to_integer<how, true, D, float>>(table, "cvt" + mode + ".ftz" + to + ".f32");
    add_slow_row<&to_integer<how, false, D, double>>(table, "cvt" + mode + to + ".f64");
  }
}

template <Whole how>
void add_made_whole(Table& table, const std::string& mode) {
  const bool plain = how == Whole::none;
  add_row<&made_whole<how, false, false, float>>(table, "cvt" + mode + ".f32.f32");
  add_row<&made_whole<how, true, false, float>>(table, "cvt" + mode + ".ftz.f32.f32");
  add_row<&made_whole<how, false, true, float>>(table, "cvt" + mode + ".sat.f32.f32");
  add_row<&made_whole<how, true, true, float>>(table, "cvt" + mode + ".ftz.sat.f32.f32");
  add_row<&made_whole<how, false, false, double>>(table, "cvt" + mode + ".f64.f64");
  if (plain) add_row<&made_whole<how, false, true, double>>(table, "cvt.sat.f64.f64");
}

template <class D, class... S>
void add_from_integers(Table& table) {
  (add_row<&cast<D, S>>(table, "cvt" + type_name<D>() + type_name<S>()), ...);
  (add_slow_row<&clamp<D, S>>(table, "cvt.sat" + type_name<D>() + type_name<S>()), ...);
}

template <class... T>
void add_all_integers(Table& table) {
  (add_from_integers<T, uint8_t, uint16_t, uint32_t, uint64_t, int8_t, int16_t, int32_t, int64_t>(table), ...);
  (add_to_integer<Whole::nearest, T>(table, ".rni"), ...);
  (add_to_integer<Whole::zero, T>(table, ".rzi"), ...);
  (add_to_integer<Whole::down, T>(table, ".rmi"), ...);
  (add_to_integer<Whole::up, T>(table, ".rpi"), ...);
  (add_rounded<&to_float<float, T>>(table, ".f32" + type_name<T>()), ...);
  (add_rounded<&to_float<double, T>>(table, ".f64" + type_name<T>()), ...);
}

}  // namespace

void add_conversion_rows(Table& table) {
  add_all_integers<uint8_t, uint16_t, uint32_t, uint64_t, int8_t, int16_t, int32_t, int64_t>(table);
  add_made_whole<Whole::nearest>(table, ".rni");
  add_made_whole<Whole::zero>(table, ".rzi");
  add_made_whole<Whole::down>(table, ".rmi");
  add_made_whole<Whole::up>(table, ".rpi");
  add_made_whole<Whole::none>(table, "");
  add_row<&resized<false, false, double, float>>(table, "cvt.f64.f32");
  add_row<&resized<true, false, double, float>>(table, "cvt.ftz.f64.f32");
  add_rounded<&resized<false, false, float, double>>(table, ".f32.f64");
  add_rounded<&resized<false, true, float, double>>(table, ".sat.f32.f64");
}

}  // namespace tailseg::card
