// The approximate functions. Hardware's last bits are its own business: here they are as exact as double precision,
// rounded to 32 bits once.
#include <cmath>
#include <numbers>

#include "tests/card/ptx_float.h"
#include "tests/card/ptx_table.h"

namespace tailseg::card {
namespace {

double exp2_of(double a) { return std::exp2(a); }
double log2_of(double a) { return std::log2(a); }
double sin_of(double a) { return std::sin(a); }
double cos_of(double a) { return std::cos(a); }
double tanh_of(double a) { return std::tanh(a); }
double reciprocal_of(double a) { return 1.0 / a; }
double root_of(double a) { return std::sqrt(a); }
double inverse_root_of(double a) { return 1.0 / std::sqrt(a); }

template <double (*F)(double), bool ftz>
float rounded(float a) {
  return finished<ftz, false>(static_cast<float>(F(static_cast<double>(flushed<ftz>(a)))));
}
template <bool ftz>
float quotient(float a, float b) {
  return finished<ftz, false>(
      static_cast<float>(static_cast<double>(flushed<ftz>(a)) / static_cast<double>(flushed<ftz>(b))));
}
// rcp.approx.ftz.f64 and rsqrt.approx.ftz.f64 give the upper half of a double, the lower one is zero; subnormals
// count as zero.
template <double (*F)(double)>
double upper_half(double a) {
  constexpr double kSmallest = std::numeric_limits<double>::min();
  const double argument = std::abs(a) < kSmallest ? std::copysign(0.0, a) : a;
  const double result = F(argument);
  if (std::abs(result) < kSmallest) return std::copysign(0.0, result);
  return std::bit_cast<double>(std::bit_cast<uint64_t>(result) & 0xffffffff00000000u);
}

template <double (*F)(double)>
void add_approximation(Table& table, const std::string& name) {
  add_slow_row<&rounded<F, false>>(table, name + ".approx.f32");
  add_slow_row<&rounded<F, true>>(table, name + ".approx.ftz.f32");
}

}  // namespace

void add_approximate_rows(Table& table) {
  add_approximation<exp2_of>(table, "ex2");
  add_approximation<log2_of>(table, "lg2");
  add_approximation<sin_of>(table, "sin");
  add_approximation<cos_of>(table, "cos");
  add_approximation<reciprocal_of>(table, "rcp");
  add_approximation<root_of>(table, "sqrt");
  add_approximation<inverse_root_of>(table, "rsqrt");
  add_slow_row<&rounded<tanh_of, false>>(table, "tanh.approx.f32");
  for (const char* name : {"div.approx", "div.full"}) {
    add_row<&quotient<false>>(table, std::string(name) + ".f32");
    add_row<&quotient<true>>(table, std::string(name) + ".ftz.f32");
  }
  add_slow_row<&upper_half<reciprocal_of>>(table, "rcp.approx.ftz.f64");
  add_slow_row<&upper_half<inverse_root_of>>(table, "rsqrt.approx.ftz.f64");
}

}  // namespace tailseg::card
