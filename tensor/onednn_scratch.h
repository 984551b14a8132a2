// Memory that a library call needs only while it runs: transformed tiles, converted layouts, the library's scratchpad.
// One block for each context, as large as the hungriest call so far, from the context's allocator. Single buffers from
// the allocator would leave one cached block for every size class that some image or some number of RoIs has asked for.
#pragma once

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "tensor/allocator.h"

namespace tailseg::onednn {

class Scratch {
 public:
  explicit Scratch(std::shared_ptr<Allocator> allocator) : allocator_(std::move(allocator)) {}
  ~Scratch() { release(); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  // What is taken from a frame is valid until the frame ends. Frames nest.
  class Frame {
   public:
    explicit Frame(Scratch& scratch)
        : scratch_(scratch), block_(scratch.block_), used_(scratch.used_), live_(scratch.live_) {}
    ~Frame() {
      scratch_.block_ = block_;
      scratch_.used_ = used_;
      scratch_.live_ = live_;
      if (live_ == 0 && scratch_.blocks_.size() > 1)
        scratch_.release();  // the next call finds one block that is enough
    }
    Frame(const Frame&) = delete;
    Frame& operator=(const Frame&) = delete;

    void* take(size_t bytes) { return bytes == 0 ? nullptr : scratch_.take(bytes); }
    float* floats(size_t bytes) { return static_cast<float*>(take(bytes)); }

   private:
    Scratch& scratch_;
    size_t block_, used_, live_;
  };

 private:
  struct Block {
    void* data;
    size_t bytes;
  };

  void* take(size_t bytes) {
    bytes = (bytes + 63) / 64 * 64;
    live_ += bytes;
    peak_ = std::max(peak_, live_);
    if (blocks_.empty() || used_ + bytes > blocks_[block_].bytes) {
      const size_t size = blocks_.empty() ? peak_ : bytes;
      blocks_.push_back({allocator_->allocate(size), size});
      block_ = blocks_.size() - 1;
      used_ = 0;
    }
    void* out = static_cast<char*>(blocks_[block_].data) + used_;
    used_ += bytes;
    return out;
  }
  void release() noexcept {
    for (const Block& block : blocks_) allocator_->release(block.data, block.bytes);
    blocks_.clear();
  }

  std::shared_ptr<Allocator> allocator_;
  std::vector<Block> blocks_;
  size_t block_ = 0, used_ = 0;  // the first free byte
  size_t live_ = 0, peak_ = 0;
};

}  // namespace tailseg::onednn
