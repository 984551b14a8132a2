#include "nn/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>

#include "tensor/error.h"

namespace tailseg {
namespace {

constexpr size_t kBufferBytes = 1 << 18;  // small writes are gathered; larger ones go straight to the kernel

const char* hint(int error_number) {
  switch (error_number) {
    case ENOSPC:
    case EDQUOT:
      return "; free some space or choose another folder";
    case EFBIG:
      return "; the file size limit (ulimit -f) or the file system does not allow a file this large";
    case ENOENT:
      return "; does the folder exist?";
    case EACCES:
    case EROFS:
    case EPERM:
      return "; choose a folder you may write to";
    default:
      return "";
  }
}

// Where a path leads: a symbolic link stays, and the file that it names is the one that is replaced.
std::string followed(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr), &std::free);
  return real ? real.get() : path;
}

}  // namespace

AtomicFile::AtomicFile(std::string path) : path_(std::move(path)) {
  TS_CHECK(!path_.empty(), "writing a file: its name is empty");
  struct stat there {};
  const bool exists = ::stat(path_.c_str(), &there) == 0;
  TS_CHECK(!exists || !S_ISDIR(there.st_mode), "writing ", path_, ": a folder of that name is there");
  in_place_ = exists && !S_ISREG(there.st_mode);
  if (exists && !in_place_) path_ = followed(path_);
  temporary_ = in_place_ ? path_ : path_ + ".tmp";
  descriptor_ = ::open(temporary_.c_str(), O_WRONLY | (in_place_ ? 0 : O_CREAT | O_TRUNC) | O_CLOEXEC, 0666);
  if (descriptor_ < 0) {
    const int error_number = errno;
    fail("writing ", path_, ": cannot create ", temporary_, ": ", std::strerror(error_number), hint(error_number));
  }
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  if (!in_place_) ::unlink(temporary_.c_str());
}

void AtomicFile::give_up(const char* doing, int error_number) {
  if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
  if (!in_place_) ::unlink(temporary_.c_str());
  fail("writing ", path_, ": ", doing, " failed after ", written_, " bytes: ", std::strerror(error_number),
       hint(error_number), in_place_ ? "" : "; a file that stood there before is unchanged");
}

void AtomicFile::write_through(const char* data, size_t count) {
  while (count > 0) {
    const ssize_t step = ::write(descriptor_, data, count);
    if (step < 0 && errno == EINTR) continue;
    if (step < 0) give_up("write", errno);
    data += step;
    count -= size_t(step);
    written_ += size_t(step);
  }
}

void AtomicFile::flush_buffer() {
  write_through(buffer_.data(), buffer_.size());
  buffer_.clear();
}

void AtomicFile::write(std::string_view text) {
  TS_CHECK(descriptor_ >= 0, "writing ", path_, ": the file is already closed");
  if (buffer_.size() + text.size() > kBufferBytes) flush_buffer();
  if (text.size() > kBufferBytes) {
    write_through(text.data(), text.size());
  } else {
    buffer_.append(text);
  }
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  write(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

void AtomicFile::commit() {
  TS_CHECK(descriptor_ >= 0, "writing ", path_, ": the file is already closed");
  flush_buffer();
  if (in_place_) {
    if (::close(std::exchange(descriptor_, -1)) != 0) give_up("closing", errno);
    return;
  }
  if (::fsync(descriptor_) != 0) give_up("flushing to disk", errno);
  if (::close(std::exchange(descriptor_, -1)) != 0) give_up("closing", errno);
  if (std::rename(temporary_.c_str(), path_.c_str()) != 0) give_up("renaming the finished file", errno);
  const size_t slash = path_.find_last_of('/');
  const std::string folder = slash == std::string::npos ? "." : path_.substr(0, slash + 1);
  const int folder_descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder_descriptor >= 0) {  // some file systems cannot flush a folder; the rename itself has happened
    ::fsync(folder_descriptor);
    ::close(folder_descriptor);
  }
}

void write_file_atomically(const std::string& path, std::string_view contents) {
  AtomicFile file(path);
  file.write(contents);
  file.commit();
}

}  // namespace tailseg
