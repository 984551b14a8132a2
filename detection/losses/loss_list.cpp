#include "detection/losses/loss_list.h"

#include "detection/losses/bags.h"
#include "detection/losses/drop_loss.h"
#include "detection/losses/eql.h"
#include "detection/losses/eql_v2.h"
#include "detection/losses/equilibrium.h"
#include "detection/losses/federated.h"
#include "detection/losses/focal.h"
#include "detection/losses/gumbel.h"
#include "detection/losses/margin.h"
#include "detection/losses/reweighted.h"
#include "detection/losses/seesaw.h"
#include "detection/losses/sigmoid_cross_entropy.h"
#include "detection/losses/softmax_cross_entropy.h"

namespace tailseg {

const std::vector<std::shared_ptr<const LossOptions>>& loss_list() {
  static const std::vector<std::shared_ptr<const LossOptions>> list = {
      std::make_shared<SoftmaxOptions>(),    std::make_shared<SigmoidOptions>(), std::make_shared<FocalOptions>(),
      std::make_shared<ReweightedOptions>(), std::make_shared<SeesawOptions>(),  std::make_shared<GumbelOptions>(),
  };
  return list;
}

}  // namespace tailseg
