#include "tensor/memory_pool.h"

#include <iterator>

namespace tailseg {

void MemoryPool::insert(char* block, size_t bytes) {
  by_address_.emplace(block, bytes);
  by_size_.emplace(bytes, block);
  free_bytes_ += bytes;
}

void MemoryPool::erase(Blocks::iterator block) {
  by_size_.erase({block->second, block->first});
  free_bytes_ -= block->second;
  by_address_.erase(block);
}

void MemoryPool::add_segment(char* segment, size_t bytes) {
  segments_.emplace(segment, bytes);
  insert(segment, bytes);
}

char* MemoryPool::take(size_t bytes) {
  const auto fit = by_size_.lower_bound({bytes, nullptr});
  if (fit == by_size_.end()) return nullptr;
  const auto [size, block] = *fit;
  erase(by_address_.find(block));
  if (size > bytes) insert(block + bytes, size - bytes);
  return block;
}

bool MemoryPool::contains(const char* block) const {
  const auto after = segments_.upper_bound(const_cast<char*>(block));
  if (after == segments_.begin()) return false;
  const auto& [begin, bytes] = *std::prev(after);
  return static_cast<size_t>(block - begin) < bytes;
}

// Segments may lie side by side in memory, but what is given back to the system is one segment: blocks of two never
// join.
void MemoryPool::give_back(char* block, size_t bytes) {
  const auto segment = std::prev(segments_.upper_bound(block));
  char *begin = block, *end = block + bytes;
  const auto after = by_address_.find(end);
  if (after != by_address_.end() && end != segment->first + segment->second) {
    end += after->second;
    erase(after);
  }
  const auto next = by_address_.lower_bound(begin);
  if (begin != segment->first && next != by_address_.begin()) {
    const auto before = std::prev(next);
    if (before->first + before->second == begin) {
      begin = before->first;
      erase(before);
    }
  }
  insert(begin, static_cast<size_t>(end - begin));
}

std::vector<std::pair<char*, size_t>> MemoryPool::remove_unused_segments() {
  std::vector<std::pair<char*, size_t>> unused;
  for (auto segment = segments_.begin(); segment != segments_.end();) {
    const auto block = by_address_.find(segment->first);
    if (block == by_address_.end() || block->second != segment->second) {
      ++segment;
      continue;
    }
    unused.emplace_back(*segment);
    erase(block);
    segment = segments_.erase(segment);
  }
  return unused;
}

}  // namespace tailseg
