// torch.save's container before PyTorch 1.6.
#include <cstring>
#include <map>

#include "apps/import/torch_archive.h"
#include "tensor/error.h"

namespace tailseg {
namespace {

// pickle.dumps(0x1950a86a20f9469cfc6c, protocol=2): PROTO 2, LONG1 of 10 bytes, STOP.
constexpr unsigned char kMagic[] = {0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, '.'};
constexpr int64_t kProtocol = 1001;

// The element types of the storages are known only from the pickle, so a first walk over it collects them.
void collect(const PickleValue& root, const std::string& file, std::map<std::string, StorageName>& storages) {
  std::map<const PickleValue*, bool> seen;
  std::vector<const PickleValue*> open = {&root};
  while (!open.empty()) {
    const PickleValue* value = open.back();
    open.pop_back();
    if (!value || !seen.emplace(value, true).second) continue;
    if (value->kind == PickleKind::kPersistent) {
      const auto& id = value->arguments->items;
      if (value->arguments->is_sequence() && !id.empty() && id[0]->text == "storage") {
        StorageName name = storage_name(*value, file);
        const auto [known, fresh] = storages.emplace(name.key, name);
        TS_CHECK(fresh || (known->second.dtype == name.dtype && known->second.elements == name.elements), file,
                 ": storage '", name.key, "' is described in two ways");
      }
      continue;
    }
    for (const PickleValue* item : value->items) open.push_back(item);
    open.push_back(value->callable);
    open.push_back(value->arguments);
    open.push_back(value->state);
  }
}

class LegacyTorch : public TorchArchive {
 public:
  LegacyTorch(std::span<const std::byte> bytes, const std::string& file) : file_(file) {
    size_t at = sizeof(kMagic);
    const Pickle protocol(bytes.subspan(at), file);
    at += protocol.size();
    TS_CHECK(protocol.root().integer == kProtocol, file, ": PyTorch protocol ", protocol.root().integer, ", expected ",
             kProtocol);
    const Pickle system(bytes.subspan(at), file);
    at += system.size();
    const PickleValue* little = system.root().find("little_endian");
    TS_CHECK(!little || little->integer == 1, file, ": written on a big-endian machine, which is not supported");
    object_ = std::make_unique<Pickle>(bytes.subspan(at), file);
    at += object_->size();
    const Pickle keys(bytes.subspan(at), file);
    at += keys.size();
    find_storages(bytes, at, keys.root());
  }

  const PickleValue& root() const override { return object_->root(); }

  std::span<const std::byte> storage(const StorageName& name) override {
    const auto found = storages_.find(name.key);
    TS_CHECK(found != storages_.end(), file_, ": storage '", name.key, "' is missing");
    return found->second;
  }

 private:
  void find_storages(std::span<const std::byte> bytes, size_t at, const PickleValue& keys) {
    std::map<std::string, StorageName> names;
    collect(object_->root(), file_, names);
    for (const PickleValue* key : keys.items) {
      TS_CHECK(bytes.size() - at >= 8, file_, ": the file is truncated: storage '", key->text, "' is not there");
      int64_t elements = 0;
      std::memcpy(&elements, bytes.data() + at, 8);
      at += 8;
      const auto found = names.find(std::string(key->text));
      TS_CHECK(found != names.end(), file_, ": storage '", key->text, "' belongs to nothing");
      TS_CHECK(elements == found->second.elements, file_, ": storage '", key->text, "' has ", elements,
               " elements, expected ", found->second.elements);
      const auto size = uint64_t(elements * host_dtype_bytes(found->second.dtype));
      TS_CHECK(size <= bytes.size() - at, file_, ": the file is truncated: storage '", key->text, "' needs ", size,
               " bytes, ", bytes.size() - at, " are there");
      storages_.emplace(found->first, bytes.subspan(at, size));
      at += size;
    }
  }

  std::string file_;
  std::unique_ptr<Pickle> object_;
  std::map<std::string, std::span<const std::byte>> storages_;
};

}  // namespace

bool looks_like_legacy_torch(std::span<const std::byte> bytes) {
  return bytes.size() >= sizeof(kMagic) && std::memcmp(bytes.data(), kMagic, sizeof(kMagic)) == 0;
}

std::unique_ptr<TorchArchive> open_legacy_torch(std::span<const std::byte> bytes, const std::string& file) {
  return std::make_unique<LegacyTorch>(bytes, file);
}

}  // namespace tailseg
