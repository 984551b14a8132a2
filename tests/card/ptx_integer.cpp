// Integer arithmetic. It wraps at its width; what hardware gives for a division by zero is all ones.
#include <limits>
#include <type_traits>

#include "tests/card/ptx_table.h"

namespace tailseg::card {
namespace {

template <class T>
using Unsigned = std::make_unsigned_t<T>;

template <class T>
struct WiderOf;
template <>
struct WiderOf<uint16_t> {
  using Type = uint32_t;
};
template <>
struct WiderOf<uint32_t> {
  using Type = uint64_t;
};
template <>
struct WiderOf<uint64_t> {
  __extension__ typedef unsigned __int128 Type;
};
template <>
struct WiderOf<int16_t> {
  using Type = int32_t;
};
template <>
struct WiderOf<int32_t> {
  using Type = int64_t;
};
template <>
struct WiderOf<int64_t> {
  __extension__ typedef __int128 Type;
};
template <class T>
using Wider = typename WiderOf<T>::Type;

// 64 bits for all: promotion of 16 bits to int could overflow.
template <class T>
uint64_t wide(T x) {
  return static_cast<uint64_t>(x);
}

struct Add {
  template <class T>
  static T of(T a, T b) {
    return static_cast<T>(wide(a) + wide(b));
  }
};
struct Sub {
  template <class T>
  static T of(T a, T b) {
    return static_cast<T>(wide(a) - wide(b));
  }
};
struct MulLow {
  template <class T>
  static T of(T a, T b) {
    return static_cast<T>(wide(a) * wide(b));
  }
};
struct MulHigh {
  template <class T>
  static T of(T a, T b) {
    return static_cast<T>((static_cast<Wider<T>>(a) * static_cast<Wider<T>>(b)) >> (8 * sizeof(T)));
  }
};
struct MulWide {
  template <class T>
  static Wider<T> of(T a, T b) {
    return static_cast<Wider<T>>(static_cast<Wider<T>>(a) * static_cast<Wider<T>>(b));
  }
};
struct MadLow {
  template <class T>
  static T of(T a, T b, T c) {
    return Add::of(MulLow::of(a, b), c);
  }
};
struct MadHigh {
  template <class T>
  static T of(T a, T b, T c) {
    return Add::of(MulHigh::of(a, b), c);
  }
};
struct MadWide {
  template <class T>
  static Wider<T> of(T a, T b, Wider<T> c) {
    return Add::of(MulWide::of(a, b), c);
  }
};
// The smallest number divided by -1 overflows: it wraps to itself, with nothing left over.
struct Div {
  template <class T>
  static T of(T a, T b) {
    if (b == 0) return static_cast<T>(~T{0});
    if constexpr (std::is_signed_v<T>) {
      if (b == -1) return Sub::of(T{0}, a);
    }
    return static_cast<T>(a / b);
  }
};
struct Rem {
  template <class T>
  static T of(T a, T b) {
    if (b == 0) return static_cast<T>(~T{0});
    if constexpr (std::is_signed_v<T>) {
      if (b == -1) return 0;
    }
    return static_cast<T>(a % b);
  }
};
struct Min {
  template <class T>
  static T of(T a, T b) {
    return b < a ? b : a;
  }
};
struct Max {
  template <class T>
  static T of(T a, T b) {
    return a < b ? b : a;
  }
};
struct Neg {
  template <class T>
  static T of(T a) {
    return Sub::of(T{0}, a);
  }
};
struct Abs {
  template <class T>
  static T of(T a) {
    return a < 0 ? Neg::of(a) : a;
  }
};
struct Sad {
  template <class T>
  static T of(T a, T b, T c) {
    return static_cast<T>(wide(c) + (a < b ? wide(b) - wide(a) : wide(a) - wide(b)));
  }
};

template <class Op>
void add_both(Table& table, const std::string& name) {
  add_unsigned_rows<Op>(table, name);
  add_signed_rows<Op>(table, name);
}
template <class Op>
void add_widening(Table& table, const std::string& name) {
  add_rows<Op, uint16_t, uint32_t>(table, name, 'u');
  add_rows<Op, int16_t, int32_t>(table, name, 's');
}
// A trap-free loop cannot be had from a division: lanes outside the mask are left alone.
template <class Op>
void add_division(Table& table, const std::string& name) {
  add_slow_row<&Op::template of<uint16_t>>(table, name + ".u16");
  add_slow_row<&Op::template of<uint32_t>>(table, name + ".u32");
  add_slow_row<&Op::template of<uint64_t>>(table, name + ".u64");
  add_slow_row<&Op::template of<int16_t>>(table, name + ".s16");
  add_slow_row<&Op::template of<int32_t>>(table, name + ".s32");
  add_slow_row<&Op::template of<int64_t>>(table, name + ".s64");
}

}  // namespace

void add_integer_rows(Table& table) {
  add_both<Add>(table, "add");
  add_both<Sub>(table, "sub");
  add_both<MulLow>(table, "mul.lo");
  add_both<MulHigh>(table, "mul.hi");
  add_widening<MulWide>(table, "mul.wide");
  add_both<MadLow>(table, "mad.lo");
  add_both<MadHigh>(table, "mad.hi");
  add_widening<MadWide>(table, "mad.wide");
  add_division<Div>(table, "div");
  add_division<Rem>(table, "rem");
  add_both<Min>(table, "min");
  add_both<Max>(table, "max");
  add_signed_rows<Neg>(table, "neg");
  add_signed_rows<Abs>(table, "abs");
  add_both<Sad>(table, "sad");
}

}  // namespace tailseg::card
