// Runs a fuzz target without a fuzzer: every file of the corpus folder, and of each file its truncations and some
// mutations, the same ones in every run. fuzz_<name> FOLDER [mutations of each file, default 300]
// On a crash, the input at hand is written to a file in the system's temporary folder and named.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

using Bytes = std::vector<uint8_t>;

const Bytes* input_at_hand = nullptr;  // read by the handler of a fatal signal
std::string origin, crash_file;

void on_fatal_signal(int signal) {
  std::signal(signal, SIG_DFL);
  const int file = open(crash_file.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  const bool saved =
      file >= 0 && input_at_hand &&
      write(file, input_at_hand->data(), input_at_hand->size()) == static_cast<ssize_t>(input_at_hand->size());
  const std::string message =
      "crash on an input made from " + origin + (saved ? ", saved as " + crash_file : "") + "\n";
  const ssize_t written = write(STDERR_FILENO, message.data(), message.size());
  (void)written;
  std::raise(signal);
}

void run(const Bytes& input) {
  input_at_hand = &input;
  const Bytes exact(input);  // no spare capacity behind it: AddressSanitizer sees a read past the end
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
}

Bytes mutated(const Bytes& seed, std::mt19937& random) {
  Bytes out = seed;
  const auto below = [&](size_t n) { return static_cast<size_t>(random() % n); };
  const size_t edits = 1 + below(4);
  for (size_t i = 0; i < edits && !out.empty(); ++i) {
    const size_t at = below(out.size()), length = std::min(1 + below(16), out.size() - at);
    const auto place = out.begin() + static_cast<ptrdiff_t>(at);
    switch (below(5)) {
      case 0:
        *place = static_cast<uint8_t>(random());
        break;
      case 1:
        *place ^= static_cast<uint8_t>(1 << below(8));
        break;
      case 2:
        out.erase(place, place + static_cast<ptrdiff_t>(length));
        break;
      case 3: {
        const Bytes copy(place, place + static_cast<ptrdiff_t>(length));
        out.insert(out.begin() + static_cast<ptrdiff_t>(below(out.size())), copy.begin(), copy.end());
        break;
      }
      default:
        *place = "0-9.e[]{},:\"\\\0\xff"[below(16)];
        break;
    }
  }
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s FOLDER [mutations of each file]\n", argv[0]);
    return 2;
  }
  const int mutations = argc > 2 ? std::atoi(argv[2]) : 300;
  crash_file = (std::filesystem::temp_directory_path() / ("tailseg-crash-" + std::to_string(getpid()))).string();
  for (const int signal : {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGTRAP}) std::signal(signal, on_fatal_signal);
  std::vector<std::filesystem::path> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[1], error)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  if (error || files.empty()) {
    std::fprintf(stderr, "%s: no corpus here: %s\n", argv[1], error ? error.message().c_str() : "no files");
    return 1;
  }
  std::sort(files.begin(), files.end());
  int64_t runs = 0;
  for (const auto& path : files) {
    std::ifstream file(path, std::ios::binary);
    const Bytes seed{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    origin = path.string();
    run(seed);
    std::mt19937 random(static_cast<uint32_t>(seed.size()) * 2654435761u + 1);
    for (int i = 0; i < mutations; ++i) run(mutated(seed, random));
    const size_t step = std::max<size_t>(1, seed.size() / 100);
    for (size_t size = 0; size < seed.size(); size += step) {
      run(Bytes(seed.begin(), seed.begin() + static_cast<ptrdiff_t>(size)));
      ++runs;
    }
    runs += 1 + mutations;
  }
  std::printf("%zu files, %lld runs\n", files.size(), static_cast<long long>(runs));
  return 0;
}
