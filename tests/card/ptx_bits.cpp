// Moves, logic, shifts and what else looks at single bits.
#include <bit>
#include <type_traits>

#include "tests/card/ptx_table.h"

namespace tailseg::card {
namespace {

struct Move {
  template <class T>
  static T of(T a) {
    return a;
  }
};
struct And {
  template <class T>
  static T of(T a, T b) {
    return static_cast<T>(a & b);
  }
};
struct Or {
  template <class T>
  static T of(T a, T b) {
    return static_cast<T>(a | b);
  }
};
struct Xor {
  template <class T>
  static T of(T a, T b) {
    return static_cast<T>(a ^ b);
  }
};
struct Not {
  template <class T>
  static T of(T a) {
    if constexpr (std::is_same_v<T, bool>)
      return !a;
    else
      return static_cast<T>(~a);
  }
};
struct LogicalNot {
  template <class T>
  static T of(T a) {
    return a == 0 ? 1 : 0;
  }
};
struct Select {
  template <class T>
  static T of(T a, T b, bool which) {
    return which ? a : b;
  }
};

// Shifts by the width or more give what a shift by the width would.
struct ShiftLeft {
  template <class T>
  static T of(T a, uint32_t by) {
    return by >= 8 * sizeof(T) ? T{0} : static_cast<T>(static_cast<uint64_t>(a) << by);
  }
};
struct ShiftRight {
  template <class T>
  static T of(T a, uint32_t by) {
    constexpr uint32_t kBits = 8 * sizeof(T);
    if constexpr (std::is_signed_v<T>)
      return static_cast<T>(a >> (by >= kBits ? kBits - 1 : by));
    else
      return by >= kBits ? T{0} : static_cast<T>(a >> by);
  }
};
template <bool left, bool wraps>
uint32_t funnel(uint32_t low, uint32_t high, uint32_t by) {
  const uint32_t n = wraps ? by & 31 : (by > 32 ? 32 : by);
  const uint64_t both = uint64_t{high} << 32 | low;
  return static_cast<uint32_t>(left ? (both << n) >> 32 : both >> n);
}

struct LeadingZeros {
  template <class T>
  static uint32_t of(T a) {
    return static_cast<uint32_t>(std::countl_zero(a));
  }
};
struct Population {
  template <class T>
  static uint32_t of(T a) {
    return static_cast<uint32_t>(std::popcount(a));
  }
};
struct Reverse {
  template <class T>
  static T of(T a) {
    T result = 0;
    for (size_t i = 0; i < 8 * sizeof(T); ++i) result = static_cast<T>(result << 1 | (a >> i & 1));
    return result;
  }
};
// The highest bit that differs from the sign, or how far it is from the top; all ones when there is none.
template <bool shift_amount>
struct FindBit {
  template <class T>
  static uint32_t of(T a) {
    using U = std::make_unsigned_t<T>;
    const U bits = static_cast<U>(std::is_signed_v<T> && a < 0 ? ~a : a);
    if (bits == 0) return 0xffffffffu;
    const auto zeros = static_cast<uint32_t>(std::countl_zero(bits));
    return shift_amount ? zeros : static_cast<uint32_t>(8 * sizeof(T) - 1) - zeros;
  }
};
struct Extract {
  template <class T>
  static T of(T a, uint32_t position, uint32_t length) {
    constexpr uint32_t kBits = 8 * sizeof(T);
    position &= 0xff;
    length &= 0xff;
    using U = std::make_unsigned_t<T>;
    const U bits = static_cast<U>(a);
    const U sign_at = static_cast<U>(bits >> std::min(position + length - 1, kBits - 1) & 1);
    const U sign = std::is_signed_v<T> && length != 0 ? sign_at : U{0};
    const U field = position >= kBits ? U{0} : static_cast<U>(bits >> position);
    const uint32_t taken = position >= kBits ? 0 : std::min(length, kBits - position);
    const U mask = taken >= kBits ? static_cast<U>(~U{0}) : static_cast<U>((U{1} << taken) - 1);
    return static_cast<T>((field & mask) | (sign != 0 ? static_cast<U>(~mask) : U{0}));
  }
};
struct Insert {
  template <class T>
  static T of(T from, T into, uint32_t position, uint32_t length) {
    constexpr uint32_t kBits = 8 * sizeof(T);
    position &= 0xff;
    length &= 0xff;
    if (position >= kBits || length == 0) return into;
    const uint32_t taken = std::min(length, kBits - position);
    const T ones = taken >= kBits ? static_cast<T>(~T{0}) : static_cast<T>((T{1} << taken) - 1);
    const T mask = static_cast<T>(ones << position);
    return static_cast<T>((into & ~mask) | (static_cast<T>(from << position) & mask));
  }
};

uint32_t permute_bytes(uint32_t a, uint32_t b, uint32_t selector) {
  const uint64_t bytes = uint64_t{b} << 32 | a;
  uint32_t result = 0;
  for (uint32_t i = 0; i < 4; ++i) {
    const uint32_t choice = selector >> (4 * i) & 0xf;
    uint32_t byte = static_cast<uint32_t>(bytes >> (8 * (choice & 7))) & 0xff;
    if ((choice & 8) != 0) byte = (byte & 0x80) != 0 ? 0xff : 0;  // the sign, spread out
    result |= byte << (8 * i);
  }
  return result;
}
// Bit 4a+2b+c of the table is the answer for bits a, b, c.
uint32_t any_logic(uint32_t a, uint32_t b, uint32_t c, uint32_t table) {
  uint32_t result = 0;
  for (uint32_t i = 0; i < 8; ++i) {
    if ((table >> i & 1) != 0) result |= ((i & 4) != 0 ? a : ~a) & ((i & 2) != 0 ? b : ~b) & ((i & 1) != 0 ? c : ~c);
  }
  return result;
}
template <uint64_t window>
uint64_t to_window(uint64_t a) {
  return a + window;
}
template <uint64_t window>
uint64_t from_window(uint64_t a) {
  return a - window;
}

void add_moves(Table& table) {
  for (const char letter : {'b', 'u', 's', 'f'}) {
    add_unsigned_rows<Move>(table, "mov", letter);
    add_unsigned_rows<Select>(table, "selp", letter);
  }
  add_row<&Move::of<bool>>(table, "mov.pred");
  for (const char* to : {"cvta.to.global.u64", "cvta.global.u64", "cvta.to.const.u64", "cvta.const.u64"}) {
    add_row<&Move::of<uint64_t>>(table, to);
  }
  add_row<&to_window<kSharedWindow>>(table, "cvta.shared.u64");
  add_row<&from_window<kSharedWindow>>(table, "cvta.to.shared.u64");
  add_row<&to_window<kLocalWindow>>(table, "cvta.local.u64");
  add_row<&from_window<kLocalWindow>>(table, "cvta.to.local.u64");
  add_row<&to_window<kParameterWindow>>(table, "cvta.param.u64");
  add_row<&from_window<kParameterWindow>>(table, "cvta.to.param.u64");
}

}  // namespace

void add_bit_rows(Table& table) {
  add_moves(table);
  add_unsigned_rows<And>(table, "and", 'b');
  add_unsigned_rows<Or>(table, "or", 'b');
  add_unsigned_rows<Xor>(table, "xor", 'b');
  add_unsigned_rows<Not>(table, "not", 'b');
  add_unsigned_rows<LogicalNot>(table, "cnot", 'b');
  add_row<&And::of<bool>>(table, "and.pred");
  add_row<&Or::of<bool>>(table, "or.pred");
  add_row<&Xor::of<bool>>(table, "xor.pred");
  add_row<&Not::of<bool>>(table, "not.pred");
  add_unsigned_rows<ShiftLeft>(table, "shl", 'b');
  add_unsigned_rows<ShiftRight>(table, "shr", 'b');
  add_unsigned_rows<ShiftRight>(table, "shr");
  add_signed_rows<ShiftRight>(table, "shr");
  add_row<&funnel<true, true>>(table, "shf.l.wrap.b32");
  add_row<&funnel<true, false>>(table, "shf.l.clamp.b32");
  add_row<&funnel<false, true>>(table, "shf.r.wrap.b32");
  add_row<&funnel<false, false>>(table, "shf.r.clamp.b32");
  add_rows<LeadingZeros, uint32_t, uint64_t>(table, "clz", 'b');
  add_rows<Population, uint32_t, uint64_t>(table, "popc", 'b');
  add_rows<Reverse, uint32_t, uint64_t>(table, "brev", 'b');
  add_rows<FindBit<false>, uint32_t, uint64_t>(table, "bfind", 'u');
  add_rows<FindBit<false>, int32_t, int64_t>(table, "bfind", 's');
  add_rows<FindBit<true>, uint32_t, uint64_t>(table, "bfind.shiftamt", 'u');
  add_rows<FindBit<true>, int32_t, int64_t>(table, "bfind.shiftamt", 's');
  add_rows<Extract, uint32_t, uint64_t>(table, "bfe", 'u');
  add_rows<Extract, int32_t, int64_t>(table, "bfe", 's');
  add_rows<Insert, uint32_t, uint64_t>(table, "bfi", 'b');
  add_row<&permute_bytes>(table, "prmt.b32");
  add_row<&any_logic>(table, "lop3.b32");
}

}  // namespace tailseg::card
