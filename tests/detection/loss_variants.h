// Every way to set a classification loss: its defaults, and one variant for each other word, switch and limit.
#pragma once

#include <algorithm>

#include "detection/losses/loss_list.h"
#include "tests/detection/loss_check.h"

namespace tailseg::loss_check {

using Prototype = std::unique_ptr<LossOptions>;

// The defaults, and one variant for each other word, switch and limit. A limit of init_scale and init_bias is set
// beside an init that reads it, and no farther than the logits that have a gradient: beyond, training is refused.
inline std::vector<std::pair<std::string, Prototype>> variants(const LossOptions& options, bool with_limits = true) {
  std::vector<std::pair<std::string, Prototype>> out;
  out.emplace_back(options.name(), options.clone());
  const size_t count = options.clone()->knobs().size();
  for (size_t k = 0; k < count; ++k) {
    const auto with = [&](const std::string& value, auto set) {
      Prototype changed = options.clone();
      LossKnob knob = changed->knobs()[k];
      set(knob);
      out.emplace_back(options.name() + " " + knob.name + "=" + value, std::move(changed));
    };
    const LossKnob knob = options.clone()->knobs()[k];
    if (std::holds_alternative<bool*>(knob.field)) {
      with("other", [](LossKnob& x) { *std::get<bool*>(x.field) = !*std::get<bool*>(x.field); });
    }
    for (const std::string& word : knob.words) {
      with(word, [&](LossKnob& x) { *std::get<std::string*>(x.field) = word; });
      if (knob.name == "init" && options.init == "auto" && word != "auto") {
        out.back().second->init_bias = options.last_layer().bias;
      }
    }
    if (!with_limits) continue;
    const LogitRange trained = options.trained_logits().value_or(LogitRange{knob.low, knob.high});
    for (double limit : {knob.low, knob.high}) {
      if (knob.name == "init_bias") limit = std::clamp(limit, trained.low, trained.high);
      if (std::holds_alternative<double*>(knob.field)) {
        with(text(limit), [&](LossKnob& x) { *std::get<double*>(x.field) = limit; });
        if (knob.name.starts_with("init_") && options.init == "auto") out.back().second->init = "normal";
      }
      if (std::holds_alternative<int64_t*>(knob.field)) {
        with(text(limit), [&](LossKnob& x) { *std::get<int64_t*>(x.field) = int64_t(limit); });
      }
    }
  }
  return out;
}

inline void for_each_variant(const std::function<void(const LossOptions&)>& f) {
  for (const auto& options : loss_list()) {
    for (const auto& [what, variant] : variants(*options)) {
      INFO(what);
      f(*variant);
    }
  }
}

// Every option of `from`.
inline void take_over(const LossOptions& from, LossOptions& to) {
  const Prototype mine = from.clone();
  const std::vector<LossKnob> source = mine->knobs(), target = to.knobs();
  for (size_t k = 0; k < source.size(); ++k) {
    std::visit([&](auto* field) { *std::get<decltype(field)>(target[k].field) = *field; }, source[k].field);
  }
}

}  // namespace tailseg::loss_check
