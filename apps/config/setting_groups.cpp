// The settings that occur more than once: in training and in calibration, in the box and in the mask head.
#include "apps/config/setting_groups.h"
#include "datasets/samplers/photo_sampler.h"

namespace tailseg {

void add_class_loss(ConfigSchema& s, const std::string& group, LossSettings& loss, std::vector<std::string> names) {
  for (const auto& options : loss.all()) names.push_back(options->name());
  s.add(group + "type", &loss.type, "classification loss: detection/losses/README.md").choices(names);
  for (const auto& options : loss.all()) {
    for (const LossKnob& knob : options->knobs()) {
      const auto target = std::visit([](auto* field) -> ConfigField::Target { return field; }, knob.field);
      s.add(group + options->name() + "." + knob.name, target, knob.comment)
          .range(knob.low, knob.high)
          .choices(knob.words)
          .only_with(&loss.type, options->name());
    }
  }
}

void add_normalized(ConfigSchema& s, const std::string& group, const std::string& choice, NormalizedConfig& n) {
  s.add(group + "temperature", &n.temperature, "of the normalised input")
      .range(1e-6, 1e6)
      .only_with(&choice, "normalized");
  s.add(group + "power", &n.power, "of the lengths that are divided by").range(0, 10).only_with(&choice, "normalized");
  s.add(group + "eps", &n.eps, "added to them").range(1e-30, 1).only_with(&choice, "normalized");
}

void add_solver(ConfigSchema& s, const std::string& group, SolverConfig& v) {
  s.add(group + "optimizer", &v.optimizer, "").choices({"sgd", "adamw"});
  s.add(group + "ims_per_batch", &v.ims_per_batch, "images per step").range(1, 65536);
  s.add(group + "base_lr", &v.base_lr, "learning rate at reference_batch images per step").positive();
  s.add(group + "reference_batch", &v.reference_batch, "").range(1, 65536);
  s.add(group + "scale_lr", &v.scale_lr, "use base_lr * ims_per_batch / reference_batch");
  s.add(group + "momentum", &v.momentum, "sgd").range(0, 1);
  s.add(group + "weight_decay", &v.weight_decay, "").range(0, 1);
  s.add(group + "weight_decay_norm", &v.weight_decay_norm, "of batch norms' scale and offset").range(0, 1);
  s.add(group + "beta1", &v.beta1, "adamw").range(0, 1);
  s.add(group + "beta2", &v.beta2, "adamw").range(0, 1);
  s.add(group + "adam_eps", &v.adam_eps, "adamw").positive();
  s.add(group + "schedule", &v.schedule, "").choices({"step", "cosine"});
  s.add(group + "epochs", &v.epochs, "length of the run, when max_iters is 0").range(0, 1e9);
  s.add(group + "step_epochs", &v.step_epochs, "epochs after which the learning rate falls").range(0, 1e9);
  s.add(group + "max_iters", &v.max_iters, "length of the run in steps; 0: epochs counts").range(0, 1e15);
  s.add(group + "steps", &v.steps, "steps at which the learning rate falls, with max_iters").range(0, 1e15);
  s.add(group + "gamma", &v.gamma, "by this factor").range(0, 1);
  s.add(group + "warmup_iters", &v.warmup_iters, "linear").range(0, 1e9);
  s.add(group + "warmup_factor", &v.warmup_factor, "from this share of the learning rate").range(0, 1);
  s.add(group + "clip_norm", &v.clip_norm, "L2 norm of the whole gradient, at most; 0: no limit").range(0, 1e9);
}

void add_sampler(ConfigSchema& s, const std::string& group, SamplerConfig& v) {
  std::vector<std::string> names;
  for (const PhotoSamplerRow& row : photo_samplers()) names.emplace_back(row.name);
  s.add(group + "type", &v.type, "which photos an epoch shows; datasets/samplers/README.md").choices(names);
  s.add(group + "threshold", &v.threshold, "repeat_factor: t; classes in a larger share of photos stay as they are")
      .range(0, 1);
  s.add(group + "exponent", &v.exponent, "repeat_factor: r = (t / f)^exponent").range(0, 1);
  s.add(group + "frequency", &v.frequency, "repeat_factor: f is a share of the photos, or of the objects")
      .choices({"image", "instance"});
  s.add(group + "rounding", &v.rounding,
        "repeat_factor: ceil(r) copies in each epoch, or r on average, drawn anew each epoch")
      .choices({"ceil", "stochastic"});
  s.add(group + "photos_per_class", &v.photos_per_class, "class_balanced, bilevel: photos for each drawn class")
      .range(1, 65536);
  s.add(group + "epoch_batches", &v.epoch_batches,
        "class_balanced, bilevel: batches that count as an epoch; 0: photos of the largest class x classes, 1000 "
        "batches")
      .range(0, 1e9);
  s.add(group + "class_cap", &v.class_cap, "bilevel: classes are drawn by min(photos, class_cap)^class_power")
      .range(1, 1e9);
  s.add(group + "class_power", &v.class_power, "bilevel: 0 is uniform").range(0, 10);
}

}  // namespace tailseg
