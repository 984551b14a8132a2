// What a loader hands out: one batch of network inputs with what is to be learned from them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "datasets/image_transform.h"
#include "datasets/loader_targets.h"

namespace tailseg {

// Everything there is to know about where a loader stands. Stored in a checkpoint, it resumes in the middle of an
// epoch.
struct LoaderPosition {
  int64_t epoch = 0;
  int64_t batch = 0;  // within the epoch
  bool operator==(const LoaderPosition&) const = default;
};

struct BatchImage {
  int32_t index = -1;      // in AnnotationSet::images
  int64_t image_id = 0;    // as in the file
  int32_t drawn_for = -1;  // the class for which a sampler drew this photo; -1 when it was not drawn by class
  Placement placement;     // sizes before and after scaling, flip
  Targets targets;         // empty when the loader was asked for none
};

struct Batch {
  LoaderPosition position;
  ImageSize size;                    // of every image, padding included
  std::vector<float> pixels;         // [N, size.height, size.width, 3] scaled and normalised; or empty:
  std::vector<Image> photos;         // [N] as decoded, for a device that does that itself (device_photos.h)
  std::vector<BatchImage> images;    // [N]
  std::vector<std::string> skipped;  // messages of photos left out under BadPhoto::kSkip

  int64_t count() const { return static_cast<int64_t>(images.size()); }
};

}  // namespace tailseg
