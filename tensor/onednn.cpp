#include "tensor/onednn.h"

namespace tailseg {

#ifndef TAILSEG_ONEDNN  // else in plan_onednn.cpp
PlanFigures onednn_plans(Context&) { return {}; }
#endif

}  // namespace tailseg
