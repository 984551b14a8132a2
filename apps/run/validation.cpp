#include "apps/run/validation.h"

#include <chrono>
#include <cmath>
#include <filesystem>

#include "apps/run/analysis.h"
#include "apps/run/model_evaluation.h"
#include "apps/run/open_model.h"
#include "apps/run/stop_signal.h"

namespace tailseg {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

void report(const ValidatedRun& run, int64_t iteration, const std::vector<TypeFigures>& types, double seconds) {
  std::map<std::string, double> values{{"iteration", static_cast<double>(std::max<int64_t>(iteration - 1, 0))}};
  for (const TypeFigures& type : types) {
    std::string line = type.type;
    for (const Figure& figure : type.figures) {
      values[type.type + "/" + figure.name] = figure.value;
      if (figure.name.starts_with("AP")) line += text("  ", figure.name, " ", std::round(figure.value * 1e4) / 1e4);
    }
    run.log.line("evaluate", line);
  }
  run.log.line("evaluate", text(run.data.val->set.images.size(), " images in ", std::round(seconds * 10) / 10, " s"));
  run.metrics.write(values);
  run.events.scalars(iteration, values);
}

}  // namespace

void validate_run(const ValidatedRun& run, int64_t iteration, bool last) {
  const Split& val = *run.data.val;
  const Clock::time_point begin = Clock::now();
  EvaluationListener listener;
  listener.progress = [&](int64_t done, int64_t all) {
    throw_if_stopped();
    run.log.progress(text("evaluating ", done, " of ", all, " images"));
  };
  listener.skipped = [&](const std::string& message) { run.log.line("evaluate", "skipped: " + message); };
  const Detections results = detect_split(run.ctx, run.model, run.config, val, listener);
  run.log.end_progress();
  const std::vector<int64_t> instances = instances_by_label(run.data.split.set);
  std::vector<TypeFigures> types = evaluate_split(val, results, "", instances, run.ctx.threads());
  report(run, iteration, types, std::chrono::duration<double>(Clock::now() - begin).count());
  if (!last) return;
  ClassFacts facts;
  if (run.config.train.analysis) {
    ModelAnalysis analysis =
        analyse_split(run.ctx, run.model, run.store, run.config, val, listener, labels_in(run.classes, val.set));
    run.log.end_progress();
    for (TypeFigures& type : evaluate_analysis(val, analysis, "", instances, run.ctx.threads())) {
      types.push_back(std::move(type));
    }
    facts = std::move(analysis.facts);
  }
  facts.train_instances = instances;
  const fs::path folder = fs::path(run.config.output) / "evaluation";
  write_metrics(folder.string(), metrics_json(val.set, val.set.lvis ? "lvis" : "coco", types, facts));
  write_results((folder / "results.json").string(), val.set, results);
}

}  // namespace tailseg
