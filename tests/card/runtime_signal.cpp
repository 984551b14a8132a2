// Tells where host code touched memory that only the card may touch, or pinned memory that it has given back. Test
// frameworks install handlers of their own, so sigaction is answered here: for SIGSEGV theirs comes after ours.
#include <dlfcn.h>
#include <execinfo.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "tests/card/runtime_card.h"

namespace tailseg::card {
namespace {

using SigAction = int (*)(int, const struct sigaction*, struct sigaction*);

struct sigaction next_handler {};

SigAction real_sigaction() {
  static const auto real = reinterpret_cast<SigAction>(dlsym(RTLD_NEXT, "sigaction"));
  return real;
}

void describe_fault(void* address) {
  const auto at = reinterpret_cast<uint64_t>(address);
  const Card& it = card();
  std::string what;
  if (it.memory.in_window(address))
    what = "host code touched device memory: " + it.memory.describe(at);
  else if (it.pinned.place(address, 1) == PinnedMemory::Place::outside)
    what = "host code touched " + it.pinned.describe(address);
  else
    return;
  char place[32];
  std::snprintf(place, sizeof(place), "0x%llx: ", static_cast<unsigned long long>(at));
  tell(place + what);
  void* frames[64];
  backtrace_symbols_fd(frames, backtrace(frames, 64), STDERR_FILENO);
}

void on_fault(int number, siginfo_t* info, void* context) {
  describe_fault(info->si_addr);
  if (next_handler.sa_flags & SA_SIGINFO) return next_handler.sa_sigaction(number, info, context);
  if (next_handler.sa_handler != SIG_DFL && next_handler.sa_handler != SIG_IGN) return next_handler.sa_handler(number);
  struct sigaction standard {};  // the access is done again, and ends the process as it would have
  standard.sa_handler = SIG_DFL;
  real_sigaction()(SIGSEGV, &standard, nullptr);
}

__attribute__((constructor)) void watch() {
  void* frame = nullptr;
  backtrace(&frame, 1);  // loads what it needs now, not inside the handler
  struct sigaction ours {};
  ours.sa_sigaction = on_fault;
  ours.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  real_sigaction()(SIGSEGV, &ours, &next_handler);
}

}  // namespace
}  // namespace tailseg::card

extern "C" __attribute__((visibility("default"))) int sigaction(int number, const struct sigaction* wanted,
                                                                struct sigaction* before) noexcept {
  using namespace tailseg::card;
  if (number != SIGSEGV) return real_sigaction()(number, wanted, before);
  if (before) *before = next_handler;
  if (wanted) next_handler = *wanted;
  return 0;
}
