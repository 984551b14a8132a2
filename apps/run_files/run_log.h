// A run's log: each line goes to log.txt and to the terminal, as "[11/21 05:42:54 train] message" (detectron2's form,
// so that scripts which read its logs read ours). On a terminal one more line, the progress, is rewritten in place
// below the log; in a pipe it does not appear. Safe to call from several threads.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>

#include "apps/run_files/terminal.h"

namespace tailseg {

class RunLog {
 public:
  // `path`: log.txt, appended to; empty: the terminal alone. Throws Error when the file cannot be opened.
  explicit RunLog(const std::string& path, const Terminal& terminal = Terminal::of(2));
  ~RunLog();
  RunLog(const RunLog&) = delete;
  RunLog& operator=(const RunLog&) = delete;

  // `name` says who speaks: "train", "evaluate", "data". A message of several lines gets the prefix once. When log.txt
  // cannot be written (a full disk) the terminal says so once and the run goes on.
  void line(const std::string& name, const std::string& message);

  // Replaces the progress line; cut to the terminal's width. Nothing happens where the terminal is not interactive.
  void progress(const std::string& text);
  void end_progress();  // removes it

  const Terminal& terminal() const { return terminal_; }

 private:
  void to_terminal(const std::string& text);

  std::mutex mutex_;
  Terminal terminal_;
  std::string path_, progress_;
  int file_ = -1;
  bool file_broken_ = false;
};

// "11/21 05:42:54", local time.
std::string log_time(int64_t unix_seconds);

}  // namespace tailseg
