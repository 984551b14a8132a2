// torch.save's zip container, through libzip. Compressed entries are refused: PyTorch never writes them, and without
// them the file's own size bounds what can come out of it.
#include "apps/import/torch_archive.h"
#include "tensor/error.h"

#ifdef TAILSEG_LIBZIP
#include <zip.h>

#include <map>
#include <vector>
#endif

namespace tailseg {

bool looks_like_zip(std::span<const std::byte> bytes) {
  return bytes.size() >= 4 && bytes[0] == std::byte('P') && bytes[1] == std::byte('K') && bytes[2] == std::byte(3) &&
         bytes[3] == std::byte(4);
}

#ifdef TAILSEG_LIBZIP
namespace {

constexpr zip_int64_t kMaxEntries = 1'000'000;
constexpr uint64_t kMaxPickleBytes = 256u << 20;

class TorchZip : public TorchArchive {
 public:
  TorchZip(std::span<const std::byte> bytes, const std::string& file) : file_(file), file_bytes_(bytes.size()) {
    zip_error_t error;
    zip_error_init(&error);
    zip_source_t* source = zip_source_buffer_create(bytes.data(), bytes.size(), 0, &error);
    zip_ = source ? zip_open_from_source(source, ZIP_RDONLY, &error) : nullptr;
    const std::string why = zip_ ? "" : zip_error_strerror(&error);
    if (!zip_ && source) zip_source_free(source);
    zip_error_fini(&error);
    TS_CHECK(zip_, file_, ": not a readable zip archive: ", why, "; is the download complete?");
    try {
      open_pickle();
    } catch (...) {
      zip_discard(zip_);
      throw;
    }
  }

  ~TorchZip() override { zip_discard(zip_); }

  const PickleValue& root() const override { return pickle_->root(); }

  std::span<const std::byte> storage(const StorageName& name) override {
    const auto known = storages_.find(name.key);
    if (known != storages_.end()) return known->second;
    const std::string entry = stem_ + "data/" + name.key;
    const uint64_t expected = uint64_t(name.elements * host_dtype_bytes(name.dtype));
    return storages_.emplace(name.key, read(entry, expected, true)).first->second;
  }

 private:
  void open_pickle() {
    const zip_int64_t entries = zip_get_num_entries(zip_, 0);
    TS_CHECK(entries <= kMaxEntries, file_, ": ", entries, " zip entries are more than any checkpoint has");
    const std::string wanted = "/data.pkl";
    for (zip_int64_t i = 0; i < entries && stem_.empty(); ++i) {
      const char* name = zip_get_name(zip_, zip_uint64_t(i), ZIP_FL_ENC_GUESS);
      const std::string entry = name ? name : "";
      if (entry.ends_with(wanted)) stem_ = entry.substr(0, entry.size() - wanted.size() + 1);
    }
    TS_CHECK(!stem_.empty(), file_, ": a zip archive without data.pkl; is it a PyTorch checkpoint?");
    TS_CHECK(zip_name_locate(zip_, (stem_ + "constants.pkl").c_str(), 0) < 0, file_,
             ": a TorchScript program, not a checkpoint; save model.state_dict() instead");
    if (zip_name_locate(zip_, (stem_ + "byteorder").c_str(), 0) >= 0) {
      const auto order = read(stem_ + "byteorder", 6, false);
      TS_CHECK(std::string(reinterpret_cast<const char*>(order.data()), order.size()) == "little", file_,
               ": written on a big-endian machine, which is not supported");
    }
    pickle_bytes_ = read(stem_ + "data.pkl", kMaxPickleBytes, false);
    pickle_ = std::make_unique<Pickle>(pickle_bytes_, file_);
  }

  // The bytes of an entry: exactly `limit` of them, or at most.
  std::vector<std::byte> read(const std::string& entry, uint64_t limit, bool exactly) {
    zip_stat_t status;
    zip_stat_init(&status);
    const bool known = zip_stat(zip_, entry.c_str(), 0, &status) == 0 && (status.valid & ZIP_STAT_SIZE) != 0 &&
                       (status.valid & ZIP_STAT_COMP_METHOD) != 0;
    TS_CHECK(known, file_, ": entry '", entry, "' is missing");
    TS_CHECK(status.comp_method == ZIP_CM_STORE && status.size <= file_bytes_, file_, ": entry '", entry,
             "' is compressed or larger than the file; PyTorch does not write such archives");
    TS_CHECK(exactly ? status.size == limit : status.size <= limit, file_, ": entry '", entry, "' has ", status.size,
             " bytes, expected ", exactly ? "" : "at most ", limit);
    // Entries may share bytes of the file, which would multiply it; honest ones do not.
    total_read_ += status.size;
    TS_CHECK(total_read_ <= file_bytes_, file_, ": its zip entries are larger than the file itself");
    std::vector<std::byte> bytes(status.size);
    zip_file_t* stream = zip_fopen_index(zip_, status.index, 0);
    TS_CHECK(stream, file_, ": entry '", entry, "': ", zip_strerror(zip_));
    uint64_t reached = 0;
    std::byte beyond{};
    zip_int64_t step = 1;
    // One read past the end makes libzip compare the checksum.
    while (step > 0) {
      std::byte* target = reached < bytes.size() ? bytes.data() + reached : &beyond;
      step = zip_fread(stream, target, reached < bytes.size() ? bytes.size() - reached : 1);
      if (step > 0) reached += uint64_t(step);
    }
    const std::string problem = step < 0 ? zip_file_strerror(stream) : "";
    zip_fclose(stream);
    TS_CHECK(problem.empty() && reached == bytes.size(), file_, ": entry '", entry, "' is damaged",
             problem.empty() ? "" : ": ", problem);
    return bytes;
  }

  std::string file_;
  uint64_t file_bytes_, total_read_ = 0;
  zip_t* zip_ = nullptr;
  std::string stem_;  // "archive/": in front of every entry
  std::vector<std::byte> pickle_bytes_;
  std::unique_ptr<Pickle> pickle_;
  std::map<std::string, std::vector<std::byte>> storages_;
};

}  // namespace

bool can_open_torch_zip() { return true; }

std::unique_ptr<TorchArchive> open_torch_zip(std::span<const std::byte> bytes, const std::string& file) {
  return std::make_unique<TorchZip>(bytes, file);
}

#else

bool can_open_torch_zip() { return false; }

std::unique_ptr<TorchArchive> open_torch_zip(std::span<const std::byte>, const std::string& file) {
  fail("reading ", file,
       ": this build cannot open zip archives. Install libzip-dev and build again, or save the file "
       "as safetensors");
}

#endif

}  // namespace tailseg
