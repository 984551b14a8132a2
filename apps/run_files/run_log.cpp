#include "apps/run_files/run_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>

#include "tensor/error.h"

namespace tailseg {
namespace {

constexpr const char* kEraseLine = "\r\x1b[K";
constexpr const char* kGreen = "\x1b[32m";
constexpr const char* kPlain = "\x1b[0m";

bool write_all(int descriptor, const std::string& text) {
  size_t done = 0;
  while (done < text.size()) {
    const ssize_t step = ::write(descriptor, text.data() + done, text.size() - done);
    if (step < 0 && errno == EINTR) continue;
    if (step <= 0) return false;
    done += size_t(step);
  }
  return true;
}

// At most `columns` characters, counted as UTF-8 code points.
std::string cut(const std::string& text, int columns) {
  int count = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool starts = (text[i] & 0xc0) != 0x80;
    if (starts && ++count > columns) return text.substr(0, i);
  }
  return text;
}

}  // namespace

std::string log_time(int64_t unix_seconds) {
  const std::time_t seconds = unix_seconds;
  std::tm parts{};
  ::localtime_r(&seconds, &parts);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%m/%d %H:%M:%S", &parts)};
}

RunLog::RunLog(const std::string& path, const Terminal& terminal) : terminal_(terminal), path_(path) {
  if (path.empty()) return;
  file_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  TS_CHECK(file_ >= 0, "opening the log ", path, ": ", std::strerror(errno));
}

RunLog::~RunLog() {
  end_progress();
  if (file_ >= 0) ::close(file_);
}

void RunLog::to_terminal(const std::string& text) {
  if (!write_all(terminal_.descriptor, text)) progress_.clear();  // nobody is listening any more; the file still is
}

void RunLog::line(const std::string& name, const std::string& message) {
  const std::string prefix = text("[", log_time(std::time(nullptr)), " ", name, "]");
  const std::lock_guard lock(mutex_);
  std::string shown = progress_.empty() ? "" : kEraseLine;
  shown += terminal_.colour ? kGreen + prefix + kPlain : prefix;
  shown += " " + message + "\n";
  if (file_ >= 0 && !file_broken_ && !write_all(file_, prefix + " " + message + "\n")) {
    file_broken_ = true;
    shown += path_ + " can no longer be written: " + std::strerror(errno) + "\n";
  }
  to_terminal(shown + progress_);
}

void RunLog::progress(const std::string& text) {
  const std::lock_guard lock(mutex_);
  if (!terminal_.interactive) return;
  progress_ = cut(text, terminal_.width() - 1);
  to_terminal(kEraseLine + progress_);
}

void RunLog::end_progress() {
  const std::lock_guard lock(mutex_);
  if (progress_.empty()) return;
  progress_.clear();
  to_terminal(kEraseLine);
}

}  // namespace tailseg
