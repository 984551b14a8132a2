// The list of all classification losses. Config keys, checks and tests iterate over it.
#pragma once

#include "detection/losses/class_loss.h"

namespace tailseg {

// Every loss at its defaults, in the order of METHODS 1.
const std::vector<std::shared_ptr<const LossOptions>>& loss_list();

}  // namespace tailseg
