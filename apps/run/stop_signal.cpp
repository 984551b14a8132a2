#include "apps/run/stop_signal.h"

#include <csignal>

namespace tailseg {
namespace {

volatile std::sig_atomic_t seen = 0;

void remember(int number) {
  seen = number;
  std::signal(number, SIG_DFL);
}

}  // namespace

void catch_stop_signals() {
  seen = 0;
  std::signal(SIGINT, remember);
  std::signal(SIGTERM, remember);
  if (std::signal(SIGHUP, remember) == SIG_IGN) std::signal(SIGHUP, SIG_IGN);
  std::signal(SIGPIPE, SIG_IGN);  // whoever read the log is gone; the run and log.txt go on
}

int stop_signal() { return static_cast<int>(seen); }

}  // namespace tailseg
