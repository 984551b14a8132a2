#include "datasets/json/mapped_text.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "tensor/error.h"

namespace tailseg {

MappedText::MappedText(const std::string& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  TS_CHECK(file >= 0, path, ": cannot be opened: ", std::strerror(errno));
  struct stat facts {};
  const bool plain = fstat(file, &facts) == 0 && S_ISREG(facts.st_mode);
  if (plain && facts.st_size > 0) {
    size_ = static_cast<size_t>(facts.st_size);
    void* place = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file, 0);
    const int reason = errno;
    if (place == MAP_FAILED) {
      close(file);
      fail(path, ": cannot be mapped into memory (", size_, " bytes): ", std::strerror(reason));
    }
    data_ = static_cast<char*>(place);
    madvise(data_, size_, MADV_SEQUENTIAL);
  }
  close(file);
  TS_CHECK(plain, path, ": is not a plain file");
}

MappedText::~MappedText() {
  if (data_) munmap(data_, size_);
}

void MappedText::release_before(size_t offset) const {
  constexpr size_t kStep = size_t{16} << 20;  // a multiple of every page size, and seldom enough to cost nothing
  const size_t end = offset / kStep * kStep;
  if (end <= released_) return;
  madvise(data_ + released_, end - released_, MADV_DONTNEED);
  released_ = end;
}

}  // namespace tailseg
