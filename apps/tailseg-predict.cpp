// tailseg-predict: finds objects in photos, draws them and writes them as COCO results.
#include <CLI/CLI.hpp>

#include "apps/command_line.h"
#include "apps/run/predict.h"

int main(int argc, char** argv) {
  CLI::App app("Finds objects in photos: an overlay picture for each, and results JSON.", "tailseg-predict");
  tailseg::PredictOptions options;
  app.add_option("--checkpoint", options.checkpoint, "of tailseg-train: a file, or the folder of a run")->required();
  app.add_option("inputs", options.inputs, "photos, or folders of photos (JPEG, PNG)")->required();
  app.add_option("--output", options.output, "folder for the pictures and results.json")->required();
  app.add_option("--score-threshold", options.score_threshold, "objects with a lower score are left out")
      ->check(tailseg::number_from(0, 1))
      ->capture_default_str();
  app.add_option("--config", options.config, "for imported weights: TOML file of the model they are of");
  app.add_option("--categories", options.categories, "for imported weights: annotation file that names the classes");
  app.add_option("--set", options.settings, "override a setting of the checkpoint: --set test.nms_threshold=0.3")
      ->expected(1)
      ->take_all();
  app.add_option("--device", options.device, "auto, cpu or cuda")->check(CLI::IsMember({"auto", "cpu", "cuda"}));
  app.footer(
      "Example:\n  tailseg-predict --checkpoint runs/demo/train/checkpoints/iter_0002000.safetensors photo.jpg "
      "--output pictures\n"
      "  tailseg-predict --checkpoint maskrcnn_resnet50_fpn_coco.pth --config "
      "apps/configs/mask_rcnn_r50_fpn_coco_1x.toml "
      "--set preset=torchvision --categories instances_val2017.json photo.jpg --output pictures");
  bool finished = true;
  const int code = tailseg::run_program(app, argc, argv, [&] { finished = tailseg::predict(options); });
  return code == 0 && !finished ? 130 : code;  // as a shell counts Ctrl-C
}
