// tailseg-inspect on weights and checkpoints: names, shapes, dtypes, counts, metadata, and values that should not be
// there. Reads what tailseg-import reads; a safetensors file is read one tensor at a time.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

#include "nn/host_tensor.h"

namespace tailseg {

struct TensorFacts {
  std::string name, dtype;
  std::vector<int64_t> shape;
  int64_t elements = 0, non_finite = 0;
  double least = 0, greatest = 0, mean = 0;  // of the finite values; 0 when there is none
  bool constant = false;                     // all values alike, more than one of them
};

struct CheckpointReport {
  std::string path, format;          // "safetensors", "PyTorch zip", ..
  std::vector<TensorFacts> tensors;  // by name
  TextMap metadata;
  int64_t elements = 0, bytes = 0;
  std::vector<std::string> problems;  // one sentence each
};

// Whether the name ends like a weight file: .safetensors, .pth, .pt, .pkl, .pyth.
bool is_checkpoint_name(const std::string& path);

// Throws Error for a file that cannot be read.
CheckpointReport inspect_checkpoint(const std::string& path);

void print_checkpoint(const CheckpointReport& report, std::ostream& out);
std::string checkpoint_json(const CheckpointReport& report);  // everything, as one object

}  // namespace tailseg
