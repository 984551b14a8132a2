// class_gradients.safetensors of a run: accumulated gradients of the class logits at every so many steps.
//   iterations I64 [T], rising;  positive F32 [T, C];  negative F32 [T, C]  (detection/class_gradients.h)
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tailseg {

class GradientFile {
 public:
  // Takes over the records of an earlier run up to iteration `keep_through`; -1, for a fresh run, none. Throws Error
  // for a file that is malformed or of another number of classes.
  GradientFile(std::string path, int64_t classes, int64_t keep_through);

  void add(int64_t iteration, const std::vector<float>& positive, const std::vector<float>& negative);
  void save() const;  // the whole file, or an Error and the old one stays; nothing without a record

 private:
  std::string path_;
  int64_t classes_;
  std::vector<int64_t> iterations_;
  std::vector<float> positive_, negative_;
};

}  // namespace tailseg
