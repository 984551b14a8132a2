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
      std::make_shared<SoftmaxOptions>(),      // METHODS 1.1
      std::make_shared<SigmoidOptions>(),      // METHODS 1.2
      std::make_shared<FocalOptions>(),        // METHODS 1.3
      std::make_shared<ReweightedOptions>(),   // METHODS 1.4
      std::make_shared<MarginOptions>(),       // METHODS 1.5
      std::make_shared<EqlOptions>(),          // METHODS 1.6
      std::make_shared<EqlV2Options>(),        // METHODS 1.7
      std::make_shared<BagsOptions>(),         // METHODS 1.8
      std::make_shared<DropLossOptions>(),     // METHODS 1.9
      std::make_shared<SeesawOptions>(),       // METHODS 1.10
      std::make_shared<FederatedOptions>(),    // METHODS 1.11
      std::make_shared<GumbelOptions>(),       // METHODS 1.12
      std::make_shared<GolOptions>(),          // METHODS 1.13
      std::make_shared<EquilibriumOptions>(),  // METHODS 1.14
  };
  return list;
}

}  // namespace tailseg
