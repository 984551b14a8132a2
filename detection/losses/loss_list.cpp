#include "detection/losses/loss_list.h"

#include "detection/losses/softmax_cross_entropy.h"

namespace tailseg {

const std::vector<std::shared_ptr<const LossOptions>>& loss_list() {
  static const std::vector<std::shared_ptr<const LossOptions>> list = {
      std::make_shared<SoftmaxOptions>(),
  };
  return list;
}

}  // namespace tailseg
