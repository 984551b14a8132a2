// What the standard error stream is: a person's terminal, or a pipe or file that wants plain lines.
#pragma once

namespace tailseg {

struct Terminal {
  int descriptor = 2;
  bool interactive = false;  // lines may be rewritten in place
  bool colour = false;

  // interactive for a terminal other than TERM=dumb; colour unless NO_COLOR is set and not empty (no-color.org).
  static Terminal of(int descriptor);

  int width() const;  // columns now; 80 when it cannot be told
};

}  // namespace tailseg
