#include "apps/run_files/run_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "tensor/error.h"

namespace tailseg {

RunLock::RunLock(const std::string& folder) {
  if (folder.empty()) return;
  descriptor_ = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor_ < 0 || ::flock(descriptor_, LOCK_EX | LOCK_NB) == 0) return;
  const bool taken = errno == EWOULDBLOCK;
  ::close(std::exchange(descriptor_, -1));
  TS_CHECK(!taken, folder, ": another run is at work there; wait for it, stop it, or take another --output");
}

RunLock::~RunLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace tailseg
