#include "apps/output_folder.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "tensor/error.h"

namespace tailseg {

void make_output_folder(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  TS_CHECK(!error, folder, ": the folder cannot be made: ", error.message());
  TS_CHECK(std::filesystem::is_directory(folder, error), folder, ": is not a folder; choose another --output");
  TS_CHECK(::access(folder.c_str(), W_OK | X_OK) == 0, folder, ": nothing can be written there: ", std::strerror(errno),
           "; choose another --output");
}

void check_output_apart(const std::string& output, const std::string& input, const std::string& option) {
  std::error_code error;
  TS_CHECK(!std::filesystem::equivalent(output, input, error), option, " ", output, " is the file that is read (",
           input, "); give another name");
}

}  // namespace tailseg
