#include "tensor/onednn.h"

namespace tailseg {

#ifndef TAILSEG_ONEDNN  // else in plan_onednn.cpp
PlanFigures onednn_plans(Context&) { return {}; }
bool has_bfloat16_products() { return false; }
#endif

}  // namespace tailseg
