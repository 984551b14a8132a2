// tailseg-evaluate: COCO and LVIS figures of anybody's results, without Python.
#include <CLI/CLI.hpp>
#include <iostream>

#include "apps/command_line.h"
#include "apps/evaluate_results.h"
#include "apps/run/evaluate_checkpoint.h"

namespace {

// What is evaluated, and where its figures go.
void add_sources(CLI::App& app, tailseg::EvaluateResultsOptions& options, tailseg::EvaluateCheckpointOptions& model) {
  CLI::Option* annotations =
      app.add_option("--annotations", options.annotations, "COCO, LVIS v0.5 or LVIS v1 annotation file");
  CLI::Option* results =
      app.add_option("--results", options.results, "results JSON: a list of {image_id, category_id, bbox, score, ...}");
  CLI::Option* checkpoint = app.add_option("--checkpoint", model.checkpoint,
                                           "of tailseg-train (a file, or the folder of a run), in place of --results")
                                ->excludes(results);
  app.add_option("--config", model.config, "with --checkpoint: for imported weights, the TOML file of their model")
      ->needs(checkpoint);
  app.add_option("--data-root", model.data_root, "with --checkpoint: where its data are (default: where they were)")
      ->needs(checkpoint)
      ->excludes(annotations);
  app.add_option("--images", model.images, "with --checkpoint and --annotations: folder of the photos")
      ->needs(checkpoint)
      ->needs(annotations);
  app.add_option("--set", model.settings, "with --checkpoint: override a setting")
      ->expected(1)
      ->take_all()
      ->needs(checkpoint);
  app.add_option("--device", model.device, "with --checkpoint: auto, cpu or cuda")
      ->needs(checkpoint)
      ->check(CLI::IsMember({"auto", "cpu", "cuda"}));
  CLI::Option* output = app.add_option("--output", options.output, "folder for metrics.json");
  app.add_flag(
         "--analysis", model.analysis,
         "with --checkpoint: recall of the proposals, figures if every proposal were classified rightly, accuracy "
         "and weight norm of each class (tailseg-report shows them); takes two more passes")
      ->needs(checkpoint);
  app.add_option("--pictures", model.pictures, "with --checkpoint and --output: draw so many photos into pictures.png")
      ->check(tailseg::number_from(0, 1000))
      ->needs(checkpoint)
      ->needs(output);
}

// How it is evaluated.
void add_protocol(CLI::App& app, tailseg::EvaluateResultsOptions& options) {
  app.add_option("--protocol", options.protocol, "coco or lvis (default: what the annotation file is)")
      ->check(CLI::IsMember({"coco", "lvis"}));
  app.add_option("--type", options.type, "bbox, segm or proposals (default: bbox and segm, as the results have them)")
      ->check(CLI::IsMember({"bbox", "segm", "proposals"}));
  app.add_flag("--json", options.json, "print metrics.json instead of the table");
  app.add_option("--train-annotations", options.train_annotations,
                 "count train instances for AP1..AP4 here (default: instance_count of --annotations)");
  app.add_option("--bins", options.bins, "train instances at which AP2, AP3, AP4 begin; COCO-LT: 20 400 8000")
      ->expected(3)
      ->check(tailseg::number_from(0, 1e15))
      ->capture_default_str();
  app.add_flag("--mask-area", options.always_mask_area,
               "APs/m/l of masks by mask area even if the results have boxes, as detectron2 does");
  app.add_flag("--skip-images-without-proposals", options.skip_images_without_proposals,
               "proposals: detectron2's denominator instead of mmdetection's");
  app.add_option("--threads", options.threads, "0: as many as the machine has")->check(tailseg::number_from(0, 1024));
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "COCO and LVIS evaluation, equal to pycocotools and lvis-api: of a results file, or of a checkpoint and photos.",
      "tailseg-evaluate");
  tailseg::EvaluateResultsOptions options;
  tailseg::EvaluateCheckpointOptions model;
  add_sources(app, options, model);
  add_protocol(app, options);
  app.footer(
      "Example:\n  tailseg-evaluate --annotations lvis_v1_val.json --results results.json --output evaluation\n"
      "  tailseg-evaluate --checkpoint runs/demo/train/checkpoints/iter_0002000.safetensors --output evaluation");
  return tailseg::run_program(app, argc, argv, [&] {
    if (model.checkpoint.empty() == options.results.empty()) {
      throw tailseg::UsageError("give either --results (with --annotations) or --checkpoint");
    }
    if (model.checkpoint.empty() && options.annotations.empty()) {
      throw tailseg::UsageError("--results needs --annotations");
    }
    model.annotations = options.annotations;
    if (model.checkpoint.empty())
      tailseg::evaluate_results(options, std::cout, std::cerr);
    else
      tailseg::evaluate_checkpoint(model, options, std::cout, std::cerr);
  });
}
