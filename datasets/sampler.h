// Which photos an epoch shows, and in which order. An order is a pure function of the epoch's number, so that any
// position in any epoch can be reached without having lived through what came before (METHODS 3.1).
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "datasets/annotations.h"
#include "datasets/image_transform.h"

namespace tailseg {

// Indices into AnnotationSet::images for epoch number 0, 1, 2, ... A loader cuts it into batches from the front.
using EpochOrder = std::function<std::vector<int32_t>(int64_t epoch)>;

// The photos that training may draw. kMmdetection: at least one annotation is a training target, and the shorter side
// has at least 32 pixels. kDetectron2: at least one annotation is no crowd. kTorchvision: at least one annotation has a
// box wider and higher than one pixel.
std::vector<int32_t> trainable_images(const AnnotationSet& set, Convention rule);

// The same order in every epoch.
EpochOrder sequential_order(std::vector<int32_t> images);

// A new random order each epoch, padded to a multiple of batch_size with further random draws from the same photos.
EpochOrder random_order(std::vector<int32_t> images, int64_t batch_size, uint64_t seed);

// The same with batches of one kind only: landscape (width > height) or not. Each kind is shuffled and padded by
// itself and cut into batches, then the batches are shuffled. Less padding in the pictures; otherwise as random_order.
EpochOrder aspect_grouped_order(const Images& sizes, std::vector<int32_t> images, int64_t batch_size, uint64_t seed);

}  // namespace tailseg
