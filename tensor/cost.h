// What a kernel must do at the least: the profiler's roofline and the CPU's choice of threads read it.
#pragma once

namespace tailseg {

struct Cost {
  double bytes = 0;       // memory that must be read and written once
  double operations = 0;  // arithmetic, a multiply-add counted as two
};

}  // namespace tailseg
