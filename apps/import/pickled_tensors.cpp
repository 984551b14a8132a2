#include "apps/import/pickled_tensors.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

#include "tensor/error.h"

namespace tailseg {
namespace {

constexpr size_t kMaxAxes = 16;  // PyTorch allows 64, filters have 4; a gather never needs more

int64_t int_of(const PickleValue& value, const std::string& what) {
  TS_CHECK(value.kind == PickleKind::kInt && value.text.empty(), what, " is not an integer");
  return value.integer;
}

std::vector<int64_t> ints_of(const PickleValue& value, const std::string& what) {
  TS_CHECK(value.is_sequence() && value.items.size() <= kMaxAxes, what, " is not a tuple of at most ", kMaxAxes,
           " integers");
  std::vector<int64_t> numbers;
  for (const PickleValue* item : value.items) numbers.push_back(int_of(*item, what));
  return numbers;
}

// Copies a strided view, element (0, .., 0) at `source`, into C order. Bounds are the caller's to have checked; the
// stride of an axis of length 1 is 0.
void gather(const std::byte* source, const std::vector<int64_t>& shape, const std::vector<int64_t>& stride,
            int64_t size, std::byte* target) {
  int64_t run = 1;  // elements of the trailing axes that lie contiguously
  size_t axes = shape.size();
  while (axes > 0 && (stride[axes - 1] == run || shape[axes - 1] == 1)) run *= shape[--axes];
  std::vector<int64_t> index(axes, 0);
  for (int64_t position = 0;;) {
    std::memcpy(target, source + position * size, size_t(run * size));
    target += run * size;
    size_t axis = axes;
    for (;; --axis) {  // the next index, like an odometer
      if (axis == 0) return;
      position += stride[axis - 1];
      if (++index[axis - 1] < shape[axis - 1]) break;
      position -= shape[axis - 1] * stride[axis - 1];
      index[axis - 1] = 0;
    }
  }
}

// The last element a view reaches, counted from its storage's start; -1 for a view without elements.
int64_t last_element(int64_t offset, const std::vector<int64_t>& shape, const std::vector<int64_t>& stride,
                     const std::string& what) {
  TS_CHECK(offset >= 0 && stride.size() == shape.size(), what, ": offset ", offset, ", shape ", shape_text(shape),
           " and strides ", shape_text(stride), " do not fit together");
  if (host_elements(shape, what) == 0) return -1;
  int64_t last = offset;
  for (size_t i = 0; i < shape.size(); ++i) {
    TS_CHECK(stride[i] >= 0, what, ": stride ", stride[i], " is negative");
    if (shape[i] == 1) continue;
    TS_CHECK(stride[i] <= (INT64_MAX - last) / (shape[i] - 1), what, ": shape ", shape_text(shape), " and strides ",
             shape_text(stride), " reach beyond any file");
    last += (shape[i] - 1) * stride[i];
  }
  return last;
}

HostTensor gathered(const std::string& dtype, const std::vector<int64_t>& shape, std::vector<int64_t> stride,
                    int64_t offset, std::span<const std::byte> source, const std::string& what, ByteBudget& budget) {
  const int64_t size = host_dtype_bytes(dtype);
  const int64_t last = last_element(offset, shape, stride, what);
  TS_CHECK(last < int64_t(source.size()) / size, what, ": ", dtype, " ", shape_text(shape), " at offset ", offset,
           " with strides ", shape_text(stride), " reaches element ", last, ", but there are only ",
           int64_t(source.size()) / size);
  const int64_t elements = host_elements(shape, what);
  TS_CHECK(elements <= INT64_MAX / size, what, ": shape ", shape_text(shape), " is too large");
  budget.spend(uint64_t(elements * size), what);
  HostTensor tensor{dtype, shape, std::vector<std::byte>(size_t(elements * size))};
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 1) stride[i] = 0;
  }
  if (elements > 0) gather(source.data() + offset * size, shape, stride, size, tensor.bytes.data());
  return tensor;
}

std::vector<int64_t> contiguous_strides(const std::vector<int64_t>& shape, bool first_axis_fastest) {
  std::vector<int64_t> stride(shape.size());
  int64_t run = 1;
  for (size_t i = 0; i < shape.size(); ++i) {
    const size_t axis = first_axis_fastest ? i : shape.size() - 1 - i;
    stride[axis] = run;
    run *= std::max<int64_t>(shape[axis], 1);
  }
  return stride;
}

// Follows the wrappers of parameters and tensor subclasses down to the arguments of _rebuild_tensor; null if there is
// no tensor at the bottom.
const PickleValue* rebuild_arguments(const PickleValue& value) {
  const PickleValue* at = &value;
  for (int depth = 0; depth < 4; ++depth) {  // Parameter(Subclass(tensor)) is the deepest that PyTorch writes
    if (at->kind != PickleKind::kObject) return nullptr;
    const auto& arguments = at->arguments->items;
    if (at->is_made_by("torch._utils._rebuild_tensor_v2") || at->is_made_by("torch._utils._rebuild_tensor")) {
      return arguments.size() >= 4 ? at->arguments : nullptr;
    }
    if (at->is_made_by("torch._utils._rebuild_parameter") ||
        at->is_made_by("torch._utils._rebuild_parameter_with_state")) {
      if (arguments.empty()) return nullptr;
      at = arguments[0];
    } else if (at->is_made_by("torch._tensor._rebuild_from_type_v2")) {
      // (function, class, arguments of the function, state)
      if (arguments.size() < 3 || arguments[0]->kind != PickleKind::kGlobal) return nullptr;
      const bool plain = arguments[0]->text == "torch._utils._rebuild_tensor_v2";
      return plain && arguments[2]->is_sequence() && arguments[2]->items.size() >= 4 ? arguments[2] : nullptr;
    } else {
      return nullptr;
    }
  }
  return nullptr;
}

// Protocols up to 4 write _reconstruct(..) with a state, protocol 5 writes _frombuffer(bytes, dtype, shape, order).
bool is_array(const PickleValue& value) {
  return value.is_made_by("numpy.core.multiarray._reconstruct") ||
         value.is_made_by("numpy._core.multiarray._reconstruct") ||
         value.is_made_by("numpy.core.numeric._frombuffer") || value.is_made_by("numpy._core.numeric._frombuffer");
}

// numpy.dtype("f4", ..) with state (version, byte order, ..).
std::string numpy_dtype(const PickleValue& value, const std::string& what) {
  static const std::map<std::string_view, const char*> names = {
      {"f2", "F16"}, {"f4", "F32"}, {"f8", "F64"}, {"i1", "I8"},  {"i2", "I16"}, {"i4", "I32"},
      {"i8", "I64"}, {"u1", "U8"},  {"u2", "U16"}, {"u4", "U32"}, {"u8", "U64"}, {"b1", "BOOL"}};
  const bool is_dtype = value.is_made_by("numpy.dtype") && !value.arguments->items.empty() &&
                        value.arguments->items[0]->is_text() && value.state && value.state->items.size() >= 2;
  TS_CHECK(is_dtype, what, ": the NumPy array's dtype is not understood");
  const std::string_view code = value.arguments->items[0]->text;
  const auto found = names.find(code);
  TS_CHECK(found != names.end(), what, ": NumPy arrays of dtype '", code, "' are not supported");
  TS_CHECK(value.state->items[1]->text != ">", what, ": big-endian NumPy arrays are not supported");
  return found->second;
}

// The raw bytes of an array: a byte string, or text that stands for one through _codecs.encode(text, "latin1") (what
// Python 3 writes in protocol 2; each character up to U+00FF is one byte).
std::vector<std::byte> latin1_bytes(std::string_view utf8, const std::string& what) {
  std::vector<std::byte> bytes;
  bytes.reserve(utf8.size());
  for (size_t i = 0; i < utf8.size(); ++i) {
    const auto lead = static_cast<unsigned char>(utf8[i]);
    if (lead < 0x80) {
      bytes.push_back(std::byte(lead));
      continue;
    }
    const bool two = (lead == 0xc2 || lead == 0xc3) && i + 1 < utf8.size() && (utf8[i + 1] & 0xc0) == 0x80;
    TS_CHECK(two, what, ": the array's text is not latin1");
    bytes.push_back(std::byte(((lead & 3) << 6) | (utf8[++i] & 0x3f)));
  }
  return bytes;
}

HostTensor array_of(const PickleValue& value, const std::string& what, ByteBudget& budget) {
  const PickleValue *shape_value, *dtype_value, *raw;
  bool fortran = false;
  if (value.callable->text.ends_with("_frombuffer")) {
    const auto& arguments = value.arguments->items;
    TS_CHECK(arguments.size() == 4, what, ": the NumPy array's arguments are not understood");
    raw = arguments[0], dtype_value = arguments[1], shape_value = arguments[2];
    fortran = arguments[3]->text == "F";
  } else {  // state: (version, shape, dtype, Fortran order, bytes)
    TS_CHECK(value.state && value.state->is_sequence() && value.state->items.size() == 5, what,
             ": the NumPy array's state is not understood");
    const auto& state = value.state->items;
    shape_value = state[1], dtype_value = state[2], raw = state[4];
    fortran = state[3]->integer != 0;
  }
  const std::vector<int64_t> shape = ints_of(*shape_value, text(what, ": the array's shape"));
  host_elements(shape, what);  // refuses what the strides could not hold
  const std::string dtype = numpy_dtype(*dtype_value, what);
  const auto stride = contiguous_strides(shape, fortran);
  std::vector<std::byte> decoded;
  std::span<const std::byte> bytes;
  if (raw->is_made_by("_codecs.encode") && !raw->arguments->items.empty()) {
    const std::string_view encoded = raw->arguments->items[0]->text;
    budget.spend(encoded.size(), what);
    decoded = latin1_bytes(encoded, what);
    bytes = decoded;
  } else {
    TS_CHECK(raw->is_text(), what, ": the NumPy array holds objects, not numbers");
    bytes = std::as_bytes(std::span(raw->text));
  }
  return gathered(dtype, shape, stride, 0, bytes, what, budget);
}

}  // namespace

void ByteBudget::spend(uint64_t bytes, const std::string& what) {
  TS_CHECK(bytes <= left, what, ": the tensors so far and this one (", bytes,
           " bytes) are far larger than the file; refusing to expand it");
  left -= bytes;
}

StorageName storage_name(const PickleValue& persistent, const std::string& what) {
  static const std::map<std::string_view, const char*> classes = {
      {"torch.FloatStorage", "F32"},  {"torch.HalfStorage", "F16"}, {"torch.BFloat16Storage", "BF16"},
      {"torch.DoubleStorage", "F64"}, {"torch.LongStorage", "I64"}, {"torch.IntStorage", "I32"},
      {"torch.ShortStorage", "I16"},  {"torch.CharStorage", "I8"},  {"torch.ByteStorage", "U8"},
      {"torch.BoolStorage", "BOOL"}};
  const bool is_id = persistent.kind == PickleKind::kPersistent && persistent.arguments->is_sequence() &&
                     persistent.arguments->items.size() >= 5;
  TS_CHECK(is_id, what, ": its storage is not understood");
  const auto& id = persistent.arguments->items;
  TS_CHECK(id[0]->text == "storage" && id[1]->kind == PickleKind::kGlobal && id[2]->is_text(), what,
           ": its storage is not understood");
  const auto found = classes.find(id[1]->text);
  TS_CHECK(found != classes.end(), what, ": storages of class ", id[1]->text, " are not supported");
  StorageName name;
  name.key = id[2]->text;
  name.dtype = found->second;
  name.elements = int_of(*id[4], text(what, ": its storage's length"));
  TS_CHECK(name.elements >= 0 && name.elements <= INT64_MAX / 8, what, ": a storage of ", name.elements, " elements");
  name.view_elements = name.elements;
  if (id.size() > 5 && id[5]->is_sequence() && id[5]->items.size() == 3) {  // (view key, offset, elements)
    name.view_begin = int_of(*id[5]->items[1], text(what, ": its storage view"));
    name.view_elements = int_of(*id[5]->items[2], text(what, ": its storage view"));
    TS_CHECK(name.view_begin >= 0 && name.view_elements >= 0 && name.view_begin <= name.elements &&
                 name.view_elements <= name.elements - name.view_begin,
             what, ": its storage view lies outside the storage");
  }
  return name;
}

bool is_tensor(const PickleValue& value) { return rebuild_arguments(value) || is_array(value); }

HostTensor tensor_of(const PickleValue& value, const std::string& what, const StorageBytes& storage,
                     ByteBudget& budget) {
  if (is_array(value)) return array_of(value, what, budget);
  const PickleValue* arguments = rebuild_arguments(value);
  TS_CHECK(arguments, what, " is not a tensor");
  const auto& items = arguments->items;  // (storage, offset, shape, strides, ..)
  const StorageName name = storage_name(*items[0], what);
  const int64_t offset = int_of(*items[1], text(what, ": its offset"));
  const auto shape = ints_of(*items[2], text(what, ": its shape"));
  const auto stride = ints_of(*items[3], text(what, ": its strides"));
  const int64_t size = host_dtype_bytes(name.dtype);
  const std::span<const std::byte> bytes = storage(name);
  TS_CHECK(int64_t(bytes.size()) == name.elements * size, what, ": storage '", name.key, "' has ", bytes.size(),
           " bytes, expected ", name.elements * size);
  const auto view = bytes.subspan(size_t(name.view_begin * size), size_t(name.view_elements * size));
  return gathered(name.dtype, shape, stride, offset, view, what, budget);
}

}  // namespace tailseg
