// setp: comparisons of numbers into predicates, alone or combined with another predicate.
#include "tests/card/ptx_float.h"
#include "tests/card/ptx_table.h"

namespace tailseg::card {
namespace {

enum class Compare { eq, ne, lt, le, gt, ge, equ, neu, ltu, leu, gtu, geu, num, nan };
enum class Join { none, conjunction, disjunction, exclusive };

template <Compare how, class T>
bool holds(T a, T b) {
  const bool unordered = a != a || b != b;  // never for an integer
  switch (how) {
    case Compare::eq:
      return a == b;
    case Compare::ne:
      return !unordered && a != b;
    case Compare::lt:
      return a < b;
    case Compare::le:
      return a <= b;
    case Compare::gt:
      return a > b;
    case Compare::ge:
      return a >= b;
    case Compare::equ:
      return unordered || a == b;
    case Compare::neu:
      return a != b;
    case Compare::ltu:
      return !(a >= b);
    case Compare::leu:
      return !(a > b);
    case Compare::gtu:
      return !(a <= b);
    case Compare::geu:
      return !(a < b);
    case Compare::num:
      return !unordered;
    case Compare::nan:
      return unordered;
  }
}

template <Compare how, bool ftz, class T>
bool compared(T a, T b) {
  if constexpr (std::is_floating_point_v<T>)
    return holds<how>(flushed<ftz>(a), flushed<ftz>(b));
  else
    return holds<how>(a, b);
}
template <Compare how, bool ftz, Join join, class T>
bool joined(T a, T b, bool c) {
  const bool result = compared<how, ftz>(a, b);
  if constexpr (join == Join::conjunction)
    return result && c;
  else if constexpr (join == Join::disjunction)
    return result || c;
  else
    return result != c;
}

template <Compare how, class T, bool ftz = false>
void add_comparison(Table& table, const std::string& name, const std::string& type) {
  add_row<&compared<how, ftz, T>>(table, "setp." + name + type);
  add_row<&joined<how, ftz, Join::conjunction, T>>(table, "setp." + name + ".and" + type);
  add_row<&joined<how, ftz, Join::disjunction, T>>(table, "setp." + name + ".or" + type);
  add_row<&joined<how, ftz, Join::exclusive, T>>(table, "setp." + name + ".xor" + type);
}
template <Compare how>
void add_float_comparison(Table& table, const std::string& name) {
  add_comparison<how, float>(table, name, ".f32");
  add_comparison<how, float, true>(table, name, ".ftz.f32");
  add_comparison<how, double>(table, name, ".f64");
}
template <Compare how>
void add_unsigned_comparison(Table& table, const std::string& name, const std::string& letter) {
  add_comparison<how, uint16_t>(table, name, letter + "16");
  add_comparison<how, uint32_t>(table, name, letter + "32");
  add_comparison<how, uint64_t>(table, name, letter + "64");
}
template <Compare how>
void add_all_comparisons(Table& table, const std::string& name) {
  add_float_comparison<how>(table, name);
  add_unsigned_comparison<how>(table, name, ".u");
  add_comparison<how, int16_t>(table, name, ".s16");
  add_comparison<how, int32_t>(table, name, ".s32");
  add_comparison<how, int64_t>(table, name, ".s64");
}

}  // namespace

void add_comparison_rows(Table& table) {
  add_all_comparisons<Compare::eq>(table, "eq");
  add_all_comparisons<Compare::ne>(table, "ne");
  add_all_comparisons<Compare::lt>(table, "lt");
  add_all_comparisons<Compare::le>(table, "le");
  add_all_comparisons<Compare::gt>(table, "gt");
  add_all_comparisons<Compare::ge>(table, "ge");
  add_unsigned_comparison<Compare::eq>(table, "eq", ".b");
  add_unsigned_comparison<Compare::ne>(table, "ne", ".b");
  // lo, ls, hi, hs: the unsigned order by its older names.
  add_unsigned_comparison<Compare::lt>(table, "lo", ".u");
  add_unsigned_comparison<Compare::le>(table, "ls", ".u");
  add_unsigned_comparison<Compare::gt>(table, "hi", ".u");
  add_unsigned_comparison<Compare::ge>(table, "hs", ".u");
  add_float_comparison<Compare::equ>(table, "equ");
  add_float_comparison<Compare::neu>(table, "neu");
  add_float_comparison<Compare::ltu>(table, "ltu");
  add_float_comparison<Compare::leu>(table, "leu");
  add_float_comparison<Compare::gtu>(table, "gtu");
  add_float_comparison<Compare::geu>(table, "geu");
  add_float_comparison<Compare::num>(table, "num");
  add_float_comparison<Compare::nan>(table, "nan");
}

}  // namespace tailseg::card
