#include "apps/run_files/metrics_file.h"

#include <fcntl.h>
#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>

#include "apps/number_text.h"
#include "nn/atomic_file.h"
#include "tensor/error.h"

namespace tailseg {
namespace {

// A whole object with an iteration up to `last`.
bool belongs(const std::string& line, int64_t last) {
  rapidjson::Document object;
  object.Parse<rapidjson::kParseIterativeFlag>(line.data(), line.size());
  if (object.HasParseError() || !object.IsObject() || !object.HasMember("iteration")) return false;
  const rapidjson::Value& iteration = object["iteration"];
  return iteration.IsNumber() && iteration.GetDouble() <= double(last);
}

}  // namespace

MetricsFile::MetricsFile(std::string path, int64_t keep_through) : path_(std::move(path)) {
  std::string kept;
  std::ifstream old(path_, std::ios::binary);
  for (std::string line; keep_through >= 0 && std::getline(old, line);) {
    if (belongs(line, keep_through)) kept += line + "\n";
  }
  old.close();
  write_file_atomically(path_, kept);
  descriptor_ = ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  TS_CHECK(descriptor_ >= 0, "opening ", path_, ": ", std::strerror(errno));
}

MetricsFile::~MetricsFile() { ::close(descriptor_); }

void MetricsFile::write(const std::map<std::string, double>& values) {
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> json(buffer);
  json.StartObject();
  for (const auto& [key, value] : values) {  // std::map: sorted
    json.Key(key.data(), rapidjson::SizeType(key.size()));
    const std::string number = std::isfinite(value) ? number_text(value) : "null";
    json.RawValue(number.data(), number.size(), rapidjson::kNumberType);
  }
  json.EndObject();
  const std::string line = std::string(buffer.GetString(), buffer.GetSize()) + "\n";
  size_t done = 0;
  while (done < line.size()) {
    const ssize_t step = ::write(descriptor_, line.data() + done, line.size() - done);
    if (step < 0 && errno == EINTR) continue;
    TS_CHECK(step > 0, "writing ", path_, ": ", std::strerror(errno), "; earlier lines and checkpoints are unharmed");
    done += size_t(step);
  }
  TS_CHECK(::fsync(descriptor_) == 0 || errno == EINVAL, "flushing ", path_, ": ", std::strerror(errno));
}

}  // namespace tailseg
