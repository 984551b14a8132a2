// Weights as people have them, read into named host tensors: safetensors, PyTorch .pth/.pt (zip and legacy), pickled
// NumPy dicts (detectron2's and Caffe2's .pkl). Names and meanings stay the file's own; convert.h maps them.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "nn/host_tensor.h"

namespace tailseg {

struct WeightsFile {
  std::string path;
  std::string format;  // "safetensors", "PyTorch zip", "PyTorch legacy", "pickle"
  HostTensors tensors;
  TextMap metadata;                  // of a safetensors file
  std::string author;                // detectron2's __author__
  std::string config;                // mmdetection's meta.cfg or meta.config, as text
  std::vector<std::string> classes;  // mmdetection's meta.CLASSES
  std::vector<std::string> ignored;  // entries beside the state dict: "optimizer", "epoch", ...
};

// The format is recognised by the file's first bytes, not by its name. Throws Error for anything else, for a damaged
// file, and for a file without tensors.
WeightsFile read_weights(const std::string& path);
WeightsFile parse_weights(std::span<const std::byte> bytes, const std::string& path);

}  // namespace tailseg
