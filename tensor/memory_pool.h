// Which parts of the memory that came from the system are free. Memory comes in segments; a segment is cut into blocks
// as they are asked for, and free neighbours grow together again, so that sets whose sizes change from image to image
// share one store. Best fit: the smallest free block that is large enough, the lowest of equals. Only addresses are
// handled here, so a pool serves memory of any device.
#pragma once

#include <cstddef>
#include <map>
#include <set>
#include <utility>
#include <vector>

namespace tailseg {

class MemoryPool {
 public:
  void add_segment(char* segment, size_t bytes);
  // A block of `bytes`, or nullptr when no free one is large enough. What is left of the free one stays free.
  char* take(size_t bytes);
  void give_back(char* block, size_t bytes);  // as taken
  bool contains(const char* block) const;     // does it lie in one of the segments?
  // Takes the segments of which nothing is in use out of the pool.
  std::vector<std::pair<char*, size_t>> remove_unused_segments();

  size_t free_bytes() const { return free_bytes_; }
  size_t free_blocks() const { return by_address_.size(); }

 private:
  using Blocks = std::map<char*, size_t>;  // address -> bytes

  void insert(char* block, size_t bytes);
  void erase(Blocks::iterator block);

  Blocks segments_;
  Blocks by_address_;                           // free blocks
  std::set<std::pair<size_t, char*>> by_size_;  // the same
  size_t free_bytes_ = 0;
};

}  // namespace tailseg
