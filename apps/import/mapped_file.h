// A whole file as read-only memory.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace tailseg {

class MappedFile {
 public:
  explicit MappedFile(const std::string& path);  // throws Error when it cannot be opened or is no regular file
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  std::span<const std::byte> bytes_;
};

}  // namespace tailseg
