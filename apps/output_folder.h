// The folder or file that a program writes to.
#pragma once

#include <string>

namespace tailseg {

// Makes the folder and those above it. Throws Error when that fails or nothing can be written into it; called before
// the work begins, so that hours of it are not lost to a folder that is read-only.
void make_output_folder(const std::string& folder);

// Throws Error when writing the file `output` would replace `input`.
void check_output_apart(const std::string& output, const std::string& input, const std::string& option = "--output");

}  // namespace tailseg
