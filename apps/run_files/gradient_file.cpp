#include "apps/run_files/gradient_file.h"

#include <cstring>
#include <filesystem>

#include "nn/safetensors.h"
#include "tensor/error.h"

namespace tailseg {
namespace {

HostTensor host_integers(const std::vector<int64_t>& values) {
  HostTensor tensor{"I64", {static_cast<int64_t>(values.size())}, std::vector<std::byte>(values.size() * 8)};
  std::memcpy(tensor.bytes.data(), values.data(), tensor.bytes.size());
  return tensor;
}

}  // namespace

GradientFile::GradientFile(std::string path, int64_t classes, int64_t keep_through)
    : path_(std::move(path)), classes_(classes) {
  std::error_code error;
  if (keep_through < 0 || !std::filesystem::exists(path_, error)) return;
  const SafetensorsFile old(path_);
  const HostTensor steps = old.read("iterations"), positive = old.read("positive"), negative = old.read("negative");
  const bool fits = steps.dtype == "I64" && steps.shape.size() == 1 &&
                    positive.shape == std::vector<int64_t>{steps.shape[0], classes} && negative.shape == positive.shape;
  TS_CHECK(fits, path_, ": iterations ", shape_text(steps.shape), ", positive ", shape_text(positive.shape),
           ", negative ", shape_text(negative.shape), "; expected [T], [T, ", classes, "] and [T, ", classes,
           "]. Is it of another run? Removing it loses the curve, not the run");
  iterations_.resize(static_cast<size_t>(steps.shape[0]));
  std::memcpy(iterations_.data(), steps.bytes.data(), steps.bytes.size());
  size_t kept = 0;
  while (kept < iterations_.size() && iterations_[kept] <= keep_through) ++kept;
  positive_ = host_to_float32(positive, path_);
  negative_ = host_to_float32(negative, path_);
  iterations_.resize(kept);
  positive_.resize(kept * static_cast<size_t>(classes));
  negative_.resize(kept * static_cast<size_t>(classes));
}

void GradientFile::add(int64_t iteration, const std::vector<float>& positive, const std::vector<float>& negative) {
  iterations_.push_back(iteration);
  positive_.insert(positive_.end(), positive.begin(), positive.end());
  negative_.insert(negative_.end(), negative.begin(), negative.end());
}

void GradientFile::save() const {
  if (iterations_.empty()) return;
  const std::vector<int64_t> shape{static_cast<int64_t>(iterations_.size()), classes_};
  write_safetensors(path_,
                    {{"iterations", host_integers(iterations_)},
                     {"positive", host_from_float32(shape, positive_)},
                     {"negative", host_from_float32(shape, negative_)}},
                    {});
}

}  // namespace tailseg
