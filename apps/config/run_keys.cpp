// The keys of `data.*`, `solver.*`, `test.*` and `train.*`, with their meaning and limits.
#include "apps/config/setting_groups.h"

namespace tailseg {
namespace {

void add_data(ConfigSchema& s, DataConfig& d) {
  s.add("data.root", &d.root,
        "the paths below are relative to this folder, which is relative to where the program runs");
  s.add("data.format", &d.format, "auto: by the file's own fields").choices({"auto", "coco", "lvis"});
  s.add("data.train_annotations", &d.train_annotations, "");
  s.add("data.train_images", &d.train_images, "folder");
  s.add("data.val_annotations", &d.val_annotations, "");
  s.add("data.val_images", &d.val_images, "folder");
  s.add("data.val_image_ids", &d.val_image_ids,
        "hold these images of train_annotations out and validate on them; val_annotations is then not read");
  s.add("data.scales", &d.scales, "short side in training, one drawn per image").range(1, 1e5);
  s.add("data.max_size", &d.max_size, "long side in training, at most").range(1, 1e5);
  s.add("data.test_scale", &d.test_scale, "short side in evaluation").range(1, 1e5);
  s.add("data.test_max_size", &d.test_max_size, "long side in evaluation, at most").range(1, 1e5);
  s.add("data.resize", &d.resize, "whose bilinear").choices({"opencv", "pillow", "torch"});
  const std::vector<std::string> references{"mmdet", "torchvision", "detectron2"};
  s.add("data.size_rule", &d.size_rule, "whose rounding of the resized size").choices(references);
  s.add("data.box_rule", &d.box_rule, "whose scaling and clipping of boxes").choices(references);
  s.add("data.target_rule", &d.target_rule, "whose choice of annotations and photos to train on").choices(references);
  s.add("data.flip_prob", &d.flip_prob, "horizontal").range(0, 1);
  s.add("data.pixel_mean", &d.pixel_mean, "red, green, blue, 0 to 255").length(3).range(-1e4, 1e4);
  s.add("data.pixel_std", &d.pixel_std, "").length(3).positive();
  s.add("data.size_divisor", &d.size_divisor, "images are padded to multiples of this").range(1, 1024);
  s.add("data.buckets", &d.buckets,
        "height, width, height, width ...: sizes to which batches are padded, the smallest that holds one; empty, or "
        "none holds it: size_divisor alone")
      .range(1, 1e5);
  s.add("data.test_buckets", &d.test_buckets, "likewise in evaluation and prediction").range(1, 1e5);
  s.add("data.aspect_grouping", &d.aspect_grouping,
        "batches of wide or of tall images only (samplers random and repeat_factor)");
  s.add("data.empty_photos", &d.empty_photos,
        "photos without annotations to train on; as_class: kept, and repeated like those of one more class")
      .choices({"drop", "keep", "as_class"});
  s.add("data.workers", &d.workers, "loader threads; 0: load in the training thread").range(0, 256);
  s.add("data.on_bad_photo", &d.on_bad_photo, "a photo that is missing or damaged").choices({"stop", "skip"});
}

void add_test_and_train(ConfigSchema& s, TestConfig& t, TrainConfig& r) {
  s.add("test.score_threshold", &t.score_threshold, "scores must be above").range(0, 1);
  s.add("test.nms_threshold", &t.nms_threshold, "").range(0, 1);
  s.add("test.detections_per_image", &t.detections_per_image, "").range(1, 1e6);
  s.add("test.min_box_size", &t.min_box_size, "drop smaller boxes, pixels").range(0, 1e4);
  s.add("test.drop_empty", &t.drop_empty, "drop boxes without area after clipping to the photo");
  s.add("test.rescale_before_nms", &t.rescale_before_nms, "boxes go to the original image's size before the threshold");
  s.add("test.mask_paste", &t.mask_paste, "sampled at pixel centres, or padded and resized to whole pixels")
      .choices({"sampled", "padded"});
  s.add("test.mask_threshold", &t.mask_threshold, "").range(0, 1);
  s.add(
      "test.capture", &t.capture,
      "on a GPU a prediction of each input shape is captured once and replayed: CUDA graphs (not yet seen on a card)");
  s.add("train.seed", &r.seed, "").range(0, 9e15);
  s.add("train.device", &r.device, "").choices({"auto", "cpu", "cuda"});
  s.add("train.log_every", &r.log_every, "steps").range(1, 1e9);
  s.add("train.checkpoint_every", &r.checkpoint_every, "steps; the end of the run always writes one").range(1, 1e9);
  s.add("train.eval_every", &r.eval_every, "steps; 0: at the end only").range(0, 1e9);
  s.add("train.keep_checkpoints", &r.keep_checkpoints, "good ones that stay").range(1, 1e6);
  s.add("train.analysis", &r.analysis,
        "last evaluation: also proposals, true labels, accuracy and weight norm of each class");
  s.add("train.gradients_every", &r.gradients_every,
        "steps between records of each class's positive and negative gradients; 0: none")
      .range(0, 1e9);
  s.add("train.capture", &r.capture,
        "a step of each input shape is captured once and replayed: CUDA graphs (not yet seen on a card: tests/GPU.md)");
  add_sampler(s, "train.sampler.", r.sampler);
}

}  // namespace

void add_run_keys(ConfigSchema& s, Config& config) {
  add_data(s, config.data);
  add_solver(s, "solver.", config.solver);
  add_test_and_train(s, config.test, config.train);
}

}  // namespace tailseg
