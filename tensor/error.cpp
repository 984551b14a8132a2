#include "tensor/error.h"

namespace tailseg {

void throw_error(const std::string& message) { throw Error(message); }

}  // namespace tailseg
