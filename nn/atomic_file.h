// A file that appears whole or not at all. Bytes go to "<path>.tmp"; commit() flushes them to the disk, renames the
// file over `path` and flushes the folder. Until commit() returns, whatever stood at `path` stands there untouched:
// a full disk, an unwritable folder or kill -9 loses nothing that was saved. A symbolic link stays one; what is no
// file, such as a pipe or /dev/null, is written straight and never replaced.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace tailseg {

class AtomicFile {
 public:
  // Opens "<path>.tmp" for writing. Throws Error when the folder is missing or not writable, or `path` a folder.
  explicit AtomicFile(std::string path);
  ~AtomicFile();  // removes the temporary file unless commit() succeeded
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  // Throws Error (disk full, file size limit) and leaves the previous file intact.
  void write(std::span<const std::byte> bytes);
  void write(std::string_view text);
  void commit();

 private:
  void flush_buffer();
  void write_through(const char* data, size_t count);
  [[noreturn]] void give_up(const char* doing, int error_number);

  std::string path_, temporary_, buffer_;
  int descriptor_ = -1;
  bool in_place_ = false;
  size_t written_ = 0;
};

// AtomicFile in one call, for small text files.
void write_file_atomically(const std::string& path, std::string_view contents);

}  // namespace tailseg
