#include "apps/config/recipes.h"

#include "tensor/error.h"

namespace tailseg {
namespace {

using Settings = std::vector<const char*>;

Settings joined(Settings all, const Settings& more) {
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

// SimCal's released optimiser (METHODS 4.2, step 6): an epoch is 1000 steps; usable from 10,000 to 20,000 steps on.
const Settings kSimCalSolver{"solver.base_lr=0.01",        "solver.momentum=0",         "solver.weight_decay=0",
                             "solver.weight_decay_norm=0", "solver.warmup_iters=0",     "solver.clip_norm=0",
                             "solver.max_iters=12000",     "solver.steps=[7000, 10000]"};
const Settings kSimCal = joined(
    {"head='3fc_ft'", "loss.type='softmax'", "proposals='drawn_class'", "inference='select'", "sampler.type='bilevel'"},
    kSimCalSolver);

// SimCal's table 4: what others do about the long tail in the place of bi-level sampling, decoupled and with both
// heads.
Settings table_4(const Settings& what) {
  return joined(
      joined({"head='3fc_ft'", "proposals='all'", "inference='select'", "sampler.type='random'"}, kSimCalSolver), what);
}

// Kang et al.'s recipes as the EQL v2 repository runs them on LVIS (METHODS 4.4).
Settings decoupled(const Settings& what) {
  return joined({"proposals='all'", "inference='calibrated'", "sampler.type='class_balanced'", "solver.base_lr=0.02",
                 "solver.max_iters=75000", "solver.steps=[50000, 70000]"},
                what);
}

}  // namespace

std::span<const Recipe> recipes() {
  static const std::vector<Recipe> list = {
      {"simcal", "Wang et al., The devil is in classification, ECCV 2020", kSimCal},
      {"crt", "Kang et al., Decoupling, ICLR 2020; EQL v2 repository",
       decoupled({"head='classifier'", "loss.type='softmax'"})},
      {"lws", "Kang et al., Decoupling, ICLR 2020; EQL v2 repository",
       decoupled({"head='class_scale'", "loss.type='detector'"})},
      {"tau",
       "Kang et al., Decoupling, ICLR 2020",
       {"head='tau'", "loss.type='detector'", "proposals='all'", "inference='calibrated'", "sampler.type='random'",
        "solver.max_iters=0", "solver.epochs=0"}},
      {"ncm",
       "Kang et al., Decoupling, ICLR 2020",
       {"head='2fc_ncm'", "loss.type='softmax'", "proposals='all'", "inference='calibrated'", "sampler.type='random'",
        "solver.max_iters=0", "solver.epochs=1"}},
      {"bags",
       "Li et al., Balanced Group Softmax, CVPR 2020",
       {"head='classifier'", "loss.type='bags'", "proposals='all'", "inference='calibrated'", "sampler.type='random'",
        "solver.base_lr=0.01", "solver.clip_norm=35", "solver.max_iters=0", "solver.epochs=12",
        "solver.step_epochs=[8, 11]"}},
      {"de",
       "Wang et al., Seesaw loss, CVPR 2021, table 9 (DE-x: loss.type is x)",
       {"head='classifier_ft'", "loss.type='seesaw'", "proposals='all'", "inference='calibrated'",
        "sampler.type='repeat_factor'", "solver.base_lr=0.02", "solver.max_iters=0", "solver.epochs=12",
        "solver.step_epochs=[8, 11]"}},
      {"simcal_cm", "SimCal, table 4: class-aware margin", table_4({"loss.type='margin'"})},
      {"simcal_lr", "SimCal, table 4: loss re-weighting",
       table_4({"loss.type='reweighted'", "loss.reweighted.weights='inverse'"})},
      {"simcal_fl", "SimCal, table 4: focal loss", table_4({"loss.type='focal'"})},
      {"simcal_is", "SimCal, table 4: image-level sampling",
       table_4({"loss.type='softmax'", "sampler.type='repeat_factor'", "sampler.threshold=1e-3"})},
  };
  return list;
}

void apply_recipe(const ConfigSchema& schema, const std::string& name) {
  if (name == "none") return;
  for (const Recipe& recipe : recipes()) {
    if (recipe.name != name) continue;
    for (const char* setting : recipe.settings) {
      ConfigEntry entry = parse_override(std::string("calibration.") + setting);
      entry.where = "recipe " + name;
      schema.apply(entry);
    }
    return;
  }
  fail("unknown recipe of calibration '", name, "'");
}

}  // namespace tailseg
