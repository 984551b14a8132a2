#include "detection/level_assignment.h"

#include "detection/level_assignment_body.h"
#include "tensor/launch.h"

namespace tailseg {

Tensor assign_levels(Context& ctx, const Tensor& boxes, int64_t levels, LevelRule rule) {
  TS_CHECK(boxes.defined() && boxes.axes() >= 1 && boxes.size(-1) == 4, "assign_levels: expected boxes [..., 4]",
           boxes.defined() ? ", got " + boxes.shape().str() : ", got an undefined tensor");
  TS_CHECK(levels >= 1, "assign_levels: ", levels, " levels");
  std::vector<int64_t> rows = boxes.shape().vector();
  rows.pop_back();
  Tensor level = Tensor::empty(ctx, Shape(rows), DType::int32);
  dispatch_full(boxes.dtype(), "assign_levels", [&]<class Real>(Real) {
    for_each_item(ctx, level.elements(),
                  AssignLevels<Real>{boxes.data<Real>(), level.data<int32_t>(), static_cast<int32_t>(levels), rule});
  });
  return level;
}

}  // namespace tailseg
