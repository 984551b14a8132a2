// A file appears whole or not at all, wherever its name leads; full disks are in safetensors_test.cpp.
#include "nn/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tensor/error.h"

using Catch::Matchers::Contains;
using tailseg::AtomicFile;
using tailseg::write_file_atomically;
namespace fs = std::filesystem;

namespace {

struct Folder {
  fs::path path = fs::temp_directory_path() / ("tailseg_atomic_" + std::to_string(::getpid()));
  Folder() { fs::create_directories(path); }
  ~Folder() { fs::remove_all(path); }
  std::string file(const char* name) const { return (path / name).string(); }
};

std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("until commit the old file stands, and a file given up leaves nothing") {
  const Folder folder;
  write_file_atomically(folder.file("a"), "old");
  {
    AtomicFile file(folder.file("a"));
    file.write("new");
    REQUIRE(contents(folder.file("a")) == "old");
  }
  REQUIRE(contents(folder.file("a")) == "old");
  REQUIRE_FALSE(fs::exists(folder.file("a.tmp")));
  write_file_atomically(folder.file("a"), "new");
  REQUIRE(contents(folder.file("a")) == "new");
}

TEST_CASE("a symbolic link stays one and its file is replaced") {
  const Folder folder;
  write_file_atomically(folder.file("real"), "old");
  fs::create_symlink("real", folder.file("link"));
  write_file_atomically(folder.file("link"), "new");
  REQUIRE(fs::is_symlink(folder.file("link")));
  REQUIRE(contents(folder.file("real")) == "new");
}

TEST_CASE("a pipe is written to, not replaced") {  // and so is /dev/null, which root could otherwise lose
  const Folder folder;
  const std::string pipe = folder.file("pipe");
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  const int reader = ::open(pipe.c_str(), O_RDONLY | O_NONBLOCK);
  REQUIRE(reader >= 0);
  write_file_atomically(pipe, "through");
  char text[16] = {};
  REQUIRE(::read(reader, text, sizeof text) == 7);
  ::close(reader);
  REQUIRE(std::string(text) == "through");
  REQUIRE(fs::is_fifo(pipe));
  REQUIRE_FALSE(fs::exists(pipe + ".tmp"));
}

TEST_CASE("a folder, an empty name and a missing folder are refused before anything is written") {
  const Folder folder;
  REQUIRE_THROWS_WITH(AtomicFile(folder.path.string()), Contains("a folder of that name"));
  REQUIRE_THROWS_WITH(AtomicFile(""), Contains("empty"));
  REQUIRE_THROWS_WITH(AtomicFile(folder.file("none/a")), Contains("does the folder exist"));
  REQUIRE(fs::is_empty(folder.path));
}

TEST_CASE("a device that is full is an error") {
  if (!fs::exists("/dev/full")) return;
  REQUIRE_THROWS_WITH(write_file_atomically("/dev/full", "x"), Contains("No space left"));
  REQUIRE(fs::is_character_file("/dev/full"));
}
