#include "apps/run_files/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>

namespace tailseg {

Terminal Terminal::of(int descriptor) {
  Terminal terminal;
  terminal.descriptor = descriptor;
  const char* kind = std::getenv("TERM");
  const char* no_colour = std::getenv("NO_COLOR");
  terminal.interactive = ::isatty(descriptor) == 1 && !(kind && std::string_view(kind) == "dumb");
  terminal.colour = terminal.interactive && !(no_colour && *no_colour);
  return terminal;
}

int Terminal::width() const {
  winsize size{};
  const bool known = ::ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 80;
}

}  // namespace tailseg
