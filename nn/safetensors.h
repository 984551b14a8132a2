// safetensors, the one format of weights and checkpoints (github.com/huggingface/safetensors):
//   u64 little-endian N | N bytes of JSON, starting with '{', may end in spaces | the tensors' bytes
//   JSON: {"name": {"dtype": "F32", "shape": [..], "data_offsets": [begin, end]}, .., "__metadata__": {"text": "text"}}
// Offsets count from the end of the JSON; the tensors tile the rest of the file exactly: no hole, no overlap, no
// duplicate name. Every one of these rules is checked before a byte of data is used; a file that breaks one is refused
// with its name and the tensor's. Data are read with positioned reads, not through a mapping: a file that is truncated
// while it is being read is then an error and not a SIGBUS, and one tensor at a time need be in memory.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "nn/host_tensor.h"

namespace tailseg {

struct SafetensorsEntry {
  std::string dtype;
  std::vector<int64_t> shape;
  uint64_t begin = 0, end = 0;  // bytes, counted from SafetensorsHeader::data_begin
};

struct SafetensorsHeader {
  std::map<std::string, SafetensorsEntry> entries;
  TextMap metadata;
  uint64_t data_begin = 0;  // bytes from the start of the file
};

// The reference implementation's limit; the largest real headers are a few megabytes.
inline constexpr uint64_t kMaxSafetensorsHeader = 100'000'000;

// `json` is the N header bytes; `data_bytes` what follows them in the file. Throws Error for any broken rule.
SafetensorsHeader parse_safetensors_header(std::span<const std::byte> json, uint64_t data_bytes,
                                           const std::string& file);

// An open file whose header is valid and whose size agrees with it.
class SafetensorsFile {
 public:
  explicit SafetensorsFile(const std::string& path);
  ~SafetensorsFile();
  SafetensorsFile(const SafetensorsFile&) = delete;
  SafetensorsFile& operator=(const SafetensorsFile&) = delete;

  const std::string& path() const { return path_; }
  const std::map<std::string, SafetensorsEntry>& entries() const { return header_.entries; }
  const TextMap& metadata() const { return header_.metadata; }
  bool has(const std::string& name) const { return header_.entries.count(name) != 0; }
  const SafetensorsEntry& entry(const std::string& name) const;  // throws Error, naming the file

  HostTensor read(const std::string& name) const;
  // Fills `bytes`, whose size must be the tensor's.
  void read_into(const std::string& name, std::span<std::byte> bytes) const;

 private:
  std::string path_;
  int descriptor_ = -1;
  SafetensorsHeader header_;
};

struct TensorFile {
  HostTensors tensors;
  TextMap metadata;
};

TensorFile read_safetensors(const std::string& path);
// The same from memory; `file` names the source in messages.
TensorFile parse_safetensors(std::span<const std::byte> bytes, const std::string& file);

struct SafetensorsSpec {
  std::string name, dtype;
  std::vector<int64_t> shape;
};

// Writes a file that appears whole or not at all (nn/atomic_file.h). Equal content gives equal bytes: names sorted in
// the header, data ordered by falling element size and then by name (so every tensor is aligned to its element), the
// header padded with spaces to a multiple of 8. `produce` is called once a tensor, in data order, so that only one
// converted tensor need be in memory; the span it returns must live until the next call.
using TensorProducer = std::function<std::span<const std::byte>(const SafetensorsSpec&)>;
void write_safetensors(const std::string& path, std::vector<SafetensorsSpec> specs, const TextMap& metadata,
                       const TensorProducer& produce);
void write_safetensors(const std::string& path, const HostTensors& tensors, const TextMap& metadata);

}  // namespace tailseg
