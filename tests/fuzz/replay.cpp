// Runs a fuzz target without a fuzzer: every file of its corpus, then cut short at many places, then with a few bytes
// changed, the same ones in every run. Usage: replay LAST_INPUT CORPUS_FOLDER...
// Before each attempt its input is written to LAST_INPUT, so that after a crash it lies there.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <vector>

#include "tensor/philox.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

using Bytes = std::vector<uint8_t>;

constexpr size_t kCuts = 64;
constexpr size_t kMutations = 200;  // of each file

class Replay {
 public:
  explicit Replay(std::filesystem::path last_input) : last_input_(std::move(last_input)) {}

  void attempt(const Bytes& input) {
    std::ofstream(last_input_, std::ios::binary)
        .write(reinterpret_cast<const char*>(input.data()), static_cast<std::streamsize>(input.size()));
    const Bytes exact(input);  // no spare capacity: a read past the end is a read past the block
    (void)LLVMFuzzerTestOneInput(exact.data(), exact.size());
    ++attempts_;
  }

  void attempt_all(const Bytes& seed, uint64_t file_number) {
    attempt(seed);
    for (size_t i = 0; i < kCuts; ++i) attempt(Bytes(seed.begin(), seed.begin() + cut(seed.size(), i)));
    for (uint32_t i = 0; i < kMutations && !seed.empty(); ++i) attempt(mutated(seed, file_number, i));
  }

  size_t attempts() const { return attempts_; }

 private:
  static std::ptrdiff_t cut(size_t size, size_t i) { return static_cast<std::ptrdiff_t>(size * i / kCuts); }

  // One to four places; each gets a random byte, an extreme one, or a bit turned over.
  static Bytes mutated(Bytes bytes, uint64_t file_number, uint32_t number) {
    tailseg::RandomStream draws({kSeed, tailseg::random_purpose("fuzz")}, static_cast<uint32_t>(file_number), number);
    const uint32_t places = 1 + draws.below(4);
    for (uint32_t i = 0; i < places; ++i) {
      uint8_t& byte = bytes[draws.below(static_cast<uint32_t>(bytes.size()))];
      const uint32_t how = draws.next();
      if (how % 3 == 0) byte = static_cast<uint8_t>(how >> 8);
      if (how % 3 == 1) byte = (how & 256) ? 0xff : 0x00;
      if (how % 3 == 2) byte ^= static_cast<uint8_t>(1u << (how >> 8) % 8);
    }
    return bytes;
  }

  static constexpr uint64_t kSeed = 20240131;
  std::filesystem::path last_input_;
  size_t attempts_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: replay LAST_INPUT CORPUS_FOLDER...\n";
    return 2;
  }
  std::vector<std::filesystem::path> files;
  for (int i = 2; i < argc; ++i) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[i])) {
      if (entry.is_regular_file() && entry.path().filename() != "README.md") files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  Replay replay(argv[1]);
  for (size_t i = 0; i < files.size(); ++i) {
    std::ifstream in(files[i], std::ios::binary);
    replay.attempt_all(Bytes(std::istreambuf_iterator<char>(in), {}), i);
  }
  std::cout << files.size() << " files, " << replay.attempts() << " attempts\n";
  return files.empty() ? 1 : 0;
}
