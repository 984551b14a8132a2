// Reads, decodes, scales and batches photos ahead of their use, on several threads.
//
// A batch is a pure function of (annotation set, settings, seed, epoch, number in the epoch): sizes come from the
// annotation file, flips and scales from counter-based draws keyed by epoch and place in the epoch. Worker threads only
// decide when a photo is ready, never what it looks like. So the batches are the same for any number of workers, and a
// loader started at a position continues as one that had run up to it.
//
// The unit of work is one photo of one batch: workers fill a batch's slots in parallel. `ahead` batches are prepared
// while one is being used; their memory comes back through next() and is used again.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "datasets/annotations.h"
#include "datasets/loader_batch.h"
#include "datasets/sampler.h"

namespace tailseg {

// What happens when a photo is missing, damaged or of another size than the annotation file says.
enum class BadPhoto {
  kStop,  // next() throws
  kSkip   // the batch goes without it (and a batch of nothing is not handed out); Batch::skipped says why
};

struct LoaderConfig {
  std::string root;  // folder that the photos' file names are relative to
  int64_t batch_size = 1;
  int workers = 2;       // threads; 0: everything happens inside next()
  int64_t ahead = 2;     // batches prepared in advance, when there are workers
  uint64_t seed = 0;     // of flips and scales
  bool augment = false;  // draw flips and short edges; otherwise no flip and the last short edge
  bool targets = true;   // boxes and masks too
  MaskForm masks = MaskForm::kPolygons;
  bool decode_only = false;  // hand out decoded photos instead of the network's input
  BadPhoto on_bad_photo = BadPhoto::kStop;
  int64_t epochs = -1;  // next() returns false after so many; -1: never
};

class Loader {
 public:
  // `set` must outlive the loader. Throws Error for settings that make no sense. Preparation begins at once.
  Loader(const AnnotationSet& set, InputConfig input, LoaderConfig config, EpochOrder order, LoaderPosition start = {});
  ~Loader();  // stops the workers after the photo each one holds
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  // The next batch. What `batch` held before is taken as memory for later ones. False when the epochs are over.
  // Throws Error with file and image id for a bad photo (the first in order, whichever thread met it).
  bool next(Batch& batch);

  // Of the batch that next() will return: the state to store in a checkpoint.
  LoaderPosition position() const;

  int64_t batches_in_epoch(int64_t epoch) const;
  int64_t skipped() const;  // photos left out so far

  // The files that workers are busy with right now: what to print when a batch does not come.
  std::vector<std::string> in_flight() const;

 private:
  class Pipeline;
  std::unique_ptr<Pipeline> pipeline_;
};

}  // namespace tailseg
