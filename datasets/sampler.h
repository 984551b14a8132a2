// Which photos an epoch shows, and in which order. An order is a pure function of the epoch's number, so that any
// position in any epoch can be reached without having lived through what came before (METHODS 3.1).
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "datasets/annotations.h"
#include "datasets/image_transform.h"

namespace tailseg {

// What an epoch shows. A loader cuts it into batches from the front.
struct Epoch {
  std::vector<int32_t> images;  // indices into AnnotationSet::images
  std::vector<int32_t> labels;  // the class that each place was drawn for; empty when photos are not drawn by class
};

// Epoch number 0, 1, 2, ... Asked by one thread at a time.
using EpochOrder = std::function<Epoch(int64_t epoch)>;

// Whether an annotation makes its photo one to train on. kMmdetection: it is a training target. kDetectron2: it is no
// crowd. kTorchvision: its box is wider and higher than one pixel.
bool is_drawn_for(const AnnotationSet& set, int32_t annotation, Convention rule);

// The photos that training may draw, ascending: those with such an annotation (`without_labels`: the others too), and
// for kMmdetection a shorter side of at least 32 pixels.
std::vector<int32_t> trainable_images(const AnnotationSet& set, Convention rule, bool without_labels = false);

// The same order in every epoch.
EpochOrder sequential_order(std::vector<int32_t> images);

// A new random order each epoch, padded to a multiple of batch_size with further random draws from the same photos.
EpochOrder random_order(std::vector<int32_t> images, int64_t batch_size, uint64_t seed);
// The same for photos that differ from epoch to epoch and may come several times.
EpochOrder shuffled(EpochOrder images, int64_t batch_size, uint64_t seed);

// The same with batches of one kind only: landscape (width > height) or not. Each kind is shuffled and padded by
// itself and cut into batches, then the batches are shuffled. Less padding in the pictures; otherwise as random_order.
EpochOrder aspect_grouped_order(const Images& sizes, std::vector<int32_t> images, int64_t batch_size, uint64_t seed);
EpochOrder shuffled_by_aspect(const Images& sizes, EpochOrder images, int64_t batch_size, uint64_t seed);

}  // namespace tailseg
