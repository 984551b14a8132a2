// Floating-point arithmetic with PTX's rounding modes, .ftz, .sat and canonical NaN.
#include <cfenv>
#include <cmath>
#include <type_traits>

#include "tests/card/ptx_float.h"
#include "tests/card/ptx_table.h"

namespace tailseg::card {
namespace {

struct Add {
  template <class T>
  static T of(T a, T b) {
    return a + b;
  }
};
struct Sub {
  template <class T>
  static T of(T a, T b) {
    return a - b;
  }
};
struct Mul {
  template <class T>
  static T of(T a, T b) {
    return a * b;
  }
};
struct Fma {
  template <class T>
  static T of(T a, T b, T c) {
    return std::fma(a, b, c);
  }
};
struct Div {
  template <class T>
  static T of(T a, T b) {
    return a / b;
  }
};
struct Reciprocal {
  template <class T>
  static T of(T a) {
    return T{1} / a;
  }
};
struct Sqrt {
  template <class T>
  static T of(T a) {
    return std::sqrt(a);
  }
};

// Op between the treatment of its arguments and of its result.
template <class Op, bool ftz, bool sat>
struct Treated {
  template <class T, class... A>
  static T with(A... a) {
    return finished<ftz, sat>(Op::of(flushed<ftz>(a)...));
  }
  template <class T>
  static T one(T a) {
    return with<T>(a);
  }
  template <class T>
  static T two(T a, T b) {
    return with<T>(a, b);
  }
  template <class T>
  static T three(T a, T b, T c) {
    return with<T>(a, b, c);
  }
  template <class T, int arguments>
  static constexpr auto pick() {
    if constexpr (arguments == 1)
      return &one<T>;
    else if constexpr (arguments == 2)
      return &two<T>;
    else
      return &three<T>;
  }
};

// The loop runs as a call of its own under another rounding mode: the compiler moves nothing over a call that it cannot
// see into.
template <auto F, int mode>
struct Rounded {
  [[gnu::noinline]] static void loop(const Instruction& in, WarpState& warp, uint32_t lanes) {
    OnLanes<F>::all(in, warp, lanes);
    asm volatile("" ::: "memory");
  }
  static void run(const Instruction& in, WarpState& warp, uint32_t lanes) {
    std::fesetround(mode);
    loop(in, warp, lanes);
    std::fesetround(FE_TONEAREST);
  }
};

template <class Op, int arguments, bool ftz, bool sat, class T>
void add_modes(Table& table, const std::string& name, bool has_default) {
  constexpr auto f = Treated<Op, ftz, sat>::template pick<T, arguments>();
  const std::string tail = std::string(ftz ? ".ftz" : "") + (sat ? ".sat" : "") + (sizeof(T) == 4 ? ".f32" : ".f64");
  if (has_default) add_row<f>(table, name + tail);
  add_row<f>(table, name + ".rn" + tail);
  table[name + ".rz" + tail] = OnLanes<f>::operation(Rounded<f, FE_TOWARDZERO>::run);
  table[name + ".rm" + tail] = OnLanes<f>::operation(Rounded<f, FE_DOWNWARD>::run);
  table[name + ".rp" + tail] = OnLanes<f>::operation(Rounded<f, FE_UPWARD>::run);
}

template <class Op, int arguments>
void add_arithmetic(Table& table, const std::string& name, bool has_default) {
  add_modes<Op, arguments, false, false, float>(table, name, has_default);
  add_modes<Op, arguments, true, false, float>(table, name, has_default);
  add_modes<Op, arguments, false, true, float>(table, name, has_default);
  add_modes<Op, arguments, true, true, float>(table, name, has_default);
  add_modes<Op, arguments, false, false, double>(table, name, has_default);
}

// Of a number and a NaN the number; of two zeros +0 is the larger. With .NaN a NaN wins.
template <bool largest, bool ftz, bool nan_wins>
struct Extreme {
  template <class T>
  static T of(T a, T b) {
    a = flushed<ftz>(a);
    b = flushed<ftz>(b);
    if (nan_wins && (a != a || b != b)) return canonical_nan<T>();
    if (a != a) return b != b ? canonical_nan<T>() : b;
    if (b != b) return a;
    if (a == b) return largest == std::signbit(a) ? b : a;
    return (a < b) == largest ? b : a;
  }
};
template <bool largest>
void add_extremes(Table& table, const std::string& name) {
  add_row<&Extreme<largest, false, false>::template of<float>>(table, name + ".f32");
  add_row<&Extreme<largest, true, false>::template of<float>>(table, name + ".ftz.f32");
  add_row<&Extreme<largest, false, true>::template of<float>>(table, name + ".NaN.f32");
  add_row<&Extreme<largest, true, true>::template of<float>>(table, name + ".ftz.NaN.f32");
  add_row<&Extreme<largest, false, false>::template of<double>>(table, name + ".f64");
}

template <class T>
T negative(T a) {
  return -a;
}
template <class T>
T magnitude(T a) {
  return std::abs(a);
}
template <class T>
T with_sign_of(T sign, T a) {
  return std::copysign(a, sign);
}

}  // namespace

void add_float_rows(Table& table) {
  add_arithmetic<Add, 2>(table, "add", true);
  add_arithmetic<Sub, 2>(table, "sub", true);
  add_arithmetic<Mul, 2>(table, "mul", true);
  add_arithmetic<Fma, 3>(table, "fma", false);
  add_arithmetic<Fma, 3>(table, "mad", false);
  add_arithmetic<Div, 2>(table, "div", false);
  add_arithmetic<Reciprocal, 1>(table, "rcp", false);
  add_arithmetic<Sqrt, 1>(table, "sqrt", false);
  add_extremes<true>(table, "max");
  add_extremes<false>(table, "min");
  add_row<&negative<float>>(table, "neg.f32");
  add_row<&negative<double>>(table, "neg.f64");
  add_row<&magnitude<float>>(table, "abs.f32");
  add_row<&magnitude<double>>(table, "abs.f64");
  add_row<&with_sign_of<float>>(table, "copysign.f32");
  add_row<&with_sign_of<double>>(table, "copysign.f64");
}

}  // namespace tailseg::card
