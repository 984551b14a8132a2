// A file's bytes, mapped into memory and read only: a 1 GB annotation file is read without a copy of it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tailseg {

class MappedText {
 public:
  // Errors: the file is missing, unreadable or not a plain file. An empty file is mapped as empty text.
  explicit MappedText(const std::string& path);
  ~MappedText();
  MappedText(const MappedText&) = delete;
  MappedText& operator=(const MappedText&) = delete;

  std::string_view text() const { return {data_, size_}; }

  // Tells the system that bytes before `offset` are not needed for now, so that a long read does not hold the whole
  // file in memory. They can still be read (from disk or its cache).
  void release_before(size_t offset) const;

 private:
  char* data_ = nullptr;
  size_t size_ = 0;
  mutable size_t released_ = 0;
};

}  // namespace tailseg
