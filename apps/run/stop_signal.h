// Ctrl-C, SIGTERM and a hang-up as a request: a run writes its checkpoint and ends.
#pragma once

namespace tailseg {

// From here on the first signal of each kind is remembered, and the second ends the program as it would any. A hang-up
// that is ignored (nohup) stays so; a closed pipe no longer ends the program.
void catch_stop_signals();

int stop_signal();  // 0: none has come since catch_stop_signals()

struct Stopped {};  // thrown out of whatever the signal met

inline void throw_if_stopped() {
  if (stop_signal()) throw Stopped{};
}

}  // namespace tailseg
