// One run at a time in a folder: two would write the same checkpoints, and each would delete what the other keeps.
#pragma once

#include <string>

namespace tailseg {

class RunLock {
 public:
  // Holds the folder until the process ends, however it ends (flock on the folder itself: no file is left behind).
  // Throws Error when another process holds it. An empty name, and a file system without locks, hold nothing.
  explicit RunLock(const std::string& folder);
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

 private:
  int descriptor_ = -1;
};

}  // namespace tailseg
