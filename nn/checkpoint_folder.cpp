#include "nn/checkpoint_folder.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <set>
#include <utility>

#include "nn/atomic_file.h"
#include "nn/safetensors.h"
#include "tensor/error.h"

namespace tailseg {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPrefix = "iter_";
constexpr const char* kSuffix = ".safetensors";
constexpr const char* kLast = "last";

std::string file_name(int64_t iteration) {
  std::string digits = std::to_string(iteration);
  if (digits.size() < 7) digits.insert(0, 7 - digits.size(), '0');
  return kPrefix + digits + kSuffix;
}

std::optional<int64_t> iteration_of(const std::string& name) {
  const std::string prefix = kPrefix, suffix = kSuffix;
  if (!name.starts_with(prefix) || !name.ends_with(suffix) || name.size() <= prefix.size() + suffix.size()) return {};
  const char* first = name.data() + prefix.size();
  const char* last = name.data() + name.size() - suffix.size();
  int64_t iteration = 0;
  const auto [end, error] = std::from_chars(first, last, iteration);
  if (error != std::errc() || end != last || iteration < 0) return {};
  return iteration;
}

// Empty when the file's header and size are valid, else what is wrong with it.
std::string damage(const std::string& path) {
  try {
    SafetensorsFile file(path);
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace

CheckpointFolder::CheckpointFolder(std::string folder, int keep) : folder_(std::move(folder)), keep_(keep) {
  TS_CHECK(keep_ >= 1, "checkpoints in ", folder_, ": keep is ", keep_, ", expected at least 1");
  std::error_code error;
  fs::create_directories(folder_, error);
  TS_CHECK(!error, "making the checkpoint folder ", folder_, ": ", error.message());
}

std::string CheckpointFolder::path(int64_t iteration) const {
  TS_CHECK(iteration >= 0, "checkpoints in ", folder_, ": iteration ", iteration, " is negative");
  return (fs::path(folder_) / file_name(iteration)).string();
}

std::vector<int64_t> CheckpointFolder::iterations() const {
  std::vector<int64_t> found;
  std::error_code error;
  for (fs::directory_iterator entry(folder_, error), end; !error && entry != end; entry.increment(error)) {
    if (const auto iteration = iteration_of(entry->path().filename().string())) found.push_back(*iteration);
  }
  TS_CHECK(!error, "listing the checkpoints in ", folder_, ": ", error.message());
  std::sort(found.rbegin(), found.rend());
  return found;
}

std::optional<int64_t> CheckpointFolder::pointed(const std::string& pointer) const {
  std::ifstream file(fs::path(folder_) / pointer);
  std::string name;
  if (!std::getline(file, name)) return {};
  return iteration_of(name);
}

void CheckpointFolder::finished(int64_t iteration) {
  const std::string written = path(iteration);
  const std::string problem = damage(written);
  TS_CHECK(problem.empty(), "checkpoint of iteration ", iteration, " is not usable: ", problem);
  write_file_atomically((fs::path(folder_) / kLast).string(), file_name(iteration) + "\n");

  std::set<int64_t> keep;
  for (const auto& entry : fs::directory_iterator(folder_)) {
    if (entry.path().extension().empty()) {
      if (const auto named = pointed(entry.path().filename().string())) keep.insert(*named);
    }
  }
  int good = 0;
  for (const int64_t present : iterations()) {
    if (present > iteration) continue;  // from another, longer run: not ours to judge
    if (good < keep_ && damage(path(present)).empty()) {
      ++good;
    } else if (!keep.count(present)) {
      std::error_code ignored;  // a file that cannot be removed costs space, not the run
      fs::remove(path(present), ignored);
    }
  }
}

void CheckpointFolder::protect(const std::string& pointer, int64_t iteration) {
  TS_CHECK(!pointer.empty() && pointer.find_first_of("./") == std::string::npos, "checkpoint pointer '", pointer,
           "': expected a plain word such as best");
  TS_CHECK(fs::exists(path(iteration)), "protecting ", path(iteration), " as '", pointer, "': no such file");
  write_file_atomically((fs::path(folder_) / pointer).string(), file_name(iteration) + "\n");
}

std::optional<CheckpointFolder::Found> CheckpointFolder::newest() const {
  std::vector<int64_t> candidates = iterations();
  if (candidates.empty()) return {};
  std::string message;
  if (const auto last = pointed(kLast)) {
    // The one `last` names first, then older ones; newer ones (another run's) only when nothing else is left.
    std::stable_partition(candidates.begin(), candidates.end(), [&](int64_t i) { return i <= *last; });
    if (candidates.front() != *last) message = text("'last' names ", file_name(*last), ", which is missing; ");
  }
  for (const int64_t iteration : candidates) {
    const std::string problem = damage(path(iteration));
    if (problem.empty()) {
      if (!message.empty()) message += text("continuing from iteration ", iteration, " instead");
      return Found{path(iteration), iteration, message};
    }
    message += text("checkpoint of iteration ", iteration, " is damaged (", problem, "); ");
  }
  fail("no usable checkpoint in ", folder_, ": ", message, "start again without --resume, or give --weights");
}

}  // namespace tailseg
