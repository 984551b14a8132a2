// The whole table, filled on first use.
#include "tests/card/ptx_table.h"

namespace tailseg::card {

const Operation* find_operation(std::string_view opcode) {
  static const Table table = [] {
    Table rows;
    add_integer_rows(rows);
    add_bit_rows(rows);
    add_float_rows(rows);
    add_approximate_rows(rows);
    add_comparison_rows(rows);
    add_conversion_rows(rows);
    return rows;
  }();
  const auto found = table.find(std::string(opcode));
  return found == table.end() ? nullptr : &found->second;
}

}  // namespace tailseg::card
