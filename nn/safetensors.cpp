#include "nn/safetensors.h"

#include <fcntl.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

#include "nn/atomic_file.h"
#include "tensor/error.h"

namespace tailseg {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors bytes are used as they lie in the file");

constexpr const char* kMetadataKey = "__metadata__";

void read_at(int descriptor, std::byte* data, uint64_t count, uint64_t offset, const std::string& path) {
  while (count > 0) {
    const ssize_t step = ::pread(descriptor, data, count, off_t(offset));
    if (step < 0 && errno == EINTR) continue;
    TS_CHECK(step >= 0, "reading ", path, ": ", std::strerror(errno));
    TS_CHECK(step > 0, "reading ", path, ": the file ends at byte ", offset, ", ", count, " bytes too early");
    data += step;
    offset += uint64_t(step);
    count -= uint64_t(step);
  }
}

// The first 8 bytes, checked against the size of the file.
uint64_t header_length(const std::byte* first8, uint64_t file_bytes, const std::string& file) {
  uint64_t length = 0;
  std::memcpy(&length, first8, 8);
  TS_CHECK(length <= kMaxSafetensorsHeader, file, ": header of ", length, " bytes, more than the format's limit of ",
           kMaxSafetensorsHeader, "; is this a safetensors file?");
  TS_CHECK(length >= 2 && length <= file_bytes - 8, file, ": header of ", length, " bytes in a file of ", file_bytes,
           "; the file is truncated or not a safetensors file");
  return length;
}

void check_size(uint64_t file_bytes, const std::string& file) {
  TS_CHECK(file_bytes >= 10, file, ": ", file_bytes, " bytes are too few for a safetensors file");
}

std::string header_json(const std::vector<SafetensorsSpec>& specs, const TextMap& metadata) {
  std::map<std::string, std::pair<const SafetensorsSpec*, uint64_t>> by_name;
  uint64_t offset = 0;
  for (const SafetensorsSpec& spec : specs) {
    TS_CHECK(spec.name != kMetadataKey, "a tensor cannot be named ", kMetadataKey);
    TS_CHECK(by_name.emplace(spec.name, std::pair(&spec, offset)).second, "two tensors are named '", spec.name, "'");
    offset += uint64_t(host_elements(spec.shape, spec.name) * host_dtype_bytes(spec.dtype));
  }
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> json(buffer);
  const auto put = [&](const std::string& value) { json.String(value.data(), rapidjson::SizeType(value.size())); };
  json.StartObject();
  if (!metadata.empty()) {
    json.Key(kMetadataKey);
    json.StartObject();
    for (const auto& [key, value] : metadata) {
      put(key);
      put(value);
    }
    json.EndObject();
  }
  for (const auto& [name, where] : by_name) {
    put(name);
    json.StartObject();
    json.Key("dtype");
    put(where.first->dtype);
    json.Key("shape");
    json.StartArray();
    for (const int64_t axis : where.first->shape) json.Int64(axis);
    json.EndArray();
    json.Key("data_offsets");
    json.StartArray();
    json.Uint64(where.second);
    json.Uint64(where.second +
                uint64_t(host_elements(where.first->shape, name) * host_dtype_bytes(where.first->dtype)));
    json.EndArray();
    json.EndObject();
  }
  json.EndObject();
  std::string result(buffer.GetString(), buffer.GetSize());
  result.append((8 - result.size() % 8) % 8, ' ');
  return result;
}

}  // namespace

SafetensorsFile::SafetensorsFile(const std::string& path) : path_(path) {
  descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  TS_CHECK(descriptor_ >= 0, "opening ", path, ": ", std::strerror(errno));
  try {
    struct stat status {};
    TS_CHECK(::fstat(descriptor_, &status) == 0 && S_ISREG(status.st_mode), path, " is not a regular file");
    const auto size = uint64_t(status.st_size);
    check_size(size, path);
    std::byte first8[8];
    read_at(descriptor_, first8, 8, 0, path);
    std::vector<std::byte> json(header_length(first8, size, path));
    read_at(descriptor_, json.data(), json.size(), 8, path);
    header_ = parse_safetensors_header(json, size - 8 - json.size(), path);
  } catch (...) {
    ::close(descriptor_);
    throw;
  }
}

SafetensorsFile::~SafetensorsFile() { ::close(descriptor_); }

const SafetensorsEntry& SafetensorsFile::entry(const std::string& name) const {
  const auto found = header_.entries.find(name);
  TS_CHECK(found != header_.entries.end(), path_, " has no tensor '", name, "' (it has ", header_.entries.size(),
           "; tailseg-inspect lists them)");
  return found->second;
}

void SafetensorsFile::read_into(const std::string& name, std::span<std::byte> bytes) const {
  const SafetensorsEntry& where = entry(name);
  TS_CHECK(bytes.size() == where.end - where.begin, "reading '", name, "' from ", path_, ": room for ", bytes.size(),
           " bytes, expected ", where.end - where.begin);
  read_at(descriptor_, bytes.data(), bytes.size(), header_.data_begin + where.begin, path_);
}

HostTensor SafetensorsFile::read(const std::string& name) const {
  const SafetensorsEntry& where = entry(name);
  HostTensor tensor{where.dtype, where.shape, std::vector<std::byte>(where.end - where.begin)};
  read_into(name, tensor.bytes);
  return tensor;
}

TensorFile read_safetensors(const std::string& path) {
  const SafetensorsFile file(path);
  TensorFile result;
  result.metadata = file.metadata();
  for (const auto& [name, entry] : file.entries()) result.tensors.emplace(name, file.read(name));
  return result;
}

TensorFile parse_safetensors(std::span<const std::byte> bytes, const std::string& file) {
  check_size(bytes.size(), file);
  const uint64_t length = header_length(bytes.data(), bytes.size(), file);
  const std::span<const std::byte> data = bytes.subspan(8 + length);
  const SafetensorsHeader header = parse_safetensors_header(bytes.subspan(8, length), data.size(), file);
  TensorFile result;
  result.metadata = header.metadata;
  for (const auto& [name, entry] : header.entries) {
    const auto part = data.subspan(entry.begin, entry.end - entry.begin);
    result.tensors.emplace(name, HostTensor{entry.dtype, entry.shape, {part.begin(), part.end()}});
  }
  return result;
}

void write_safetensors(const std::string& path, std::vector<SafetensorsSpec> specs, const TextMap& metadata,
                       const TensorProducer& produce) {
  for (const SafetensorsSpec& spec : specs) {
    TS_CHECK(host_dtype_bytes(spec.dtype) > 0, "writing ", path, ": tensor '", spec.name, "' has the unknown dtype '",
             spec.dtype, "'");
  }
  std::sort(specs.begin(), specs.end(), [](const SafetensorsSpec& a, const SafetensorsSpec& b) {
    const int64_t size_a = host_dtype_bytes(a.dtype), size_b = host_dtype_bytes(b.dtype);
    return size_a != size_b ? size_a > size_b : a.name < b.name;
  });
  const std::string json = header_json(specs, metadata);
  TS_CHECK(json.size() <= kMaxSafetensorsHeader, "writing ", path, ": the header would take ", json.size(),
           " bytes, more than the format's limit");
  const uint64_t length = json.size();
  AtomicFile file(path);
  file.write(std::as_bytes(std::span(&length, 1)));
  file.write(json);
  for (const SafetensorsSpec& spec : specs) {
    const std::span<const std::byte> bytes = produce(spec);
    const int64_t expected = host_elements(spec.shape, spec.name) * host_dtype_bytes(spec.dtype);
    TS_CHECK(int64_t(bytes.size()) == expected, "writing ", path, ": tensor '", spec.name, "' ", spec.dtype, " ",
             shape_text(spec.shape), " takes ", expected, " bytes, but ", bytes.size(), " came");
    file.write(bytes);
  }
  file.commit();
}

void write_safetensors(const std::string& path, const HostTensors& tensors, const TextMap& metadata) {
  std::vector<SafetensorsSpec> specs;
  for (const auto& [name, tensor] : tensors) specs.push_back({name, tensor.dtype, tensor.shape});
  write_safetensors(path, std::move(specs), metadata,
                    [&](const SafetensorsSpec& spec) { return std::span(tensors.at(spec.name).bytes); });
}

}  // namespace tailseg
