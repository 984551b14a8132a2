#include "nn/host_tensor.h"

#include <bit>
#include <cstring>
#include <sstream>

#include "tensor/error.h"

namespace tailseg {
namespace {

template <class Stored>
std::vector<float> widen(const std::vector<std::byte>& bytes) {
  std::vector<float> values(bytes.size() / sizeof(Stored));
  for (size_t i = 0; i < values.size(); ++i) {
    Stored stored;
    std::memcpy(&stored, bytes.data() + i * sizeof(Stored), sizeof(Stored));
    values[i] = static_cast<float>(stored);
  }
  return values;
}

// IEEE 754 binary16: 1 sign, 5 exponent (bias 15), 10 fraction bits. Subnormals are fraction * 2^-24.
float float_of_half(uint16_t half) {
  const uint32_t sign = uint32_t(half & 0x8000u) << 16;
  const uint32_t exponent = (half >> 10) & 0x1fu;
  const uint32_t fraction = half & 0x3ffu;
  if (exponent == 0) {
    const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
    return sign ? -magnitude : magnitude;
  }
  const uint32_t wide = exponent == 31 ? 0xffu : exponent + 112;  // 127 - 15 = 112
  return std::bit_cast<float>(sign | (wide << 23) | (fraction << 13));
}

template <class Convert>
std::vector<float> widen16(const std::vector<std::byte>& bytes, Convert convert) {
  std::vector<float> values(bytes.size() / 2);
  for (size_t i = 0; i < values.size(); ++i) {
    uint16_t stored;
    std::memcpy(&stored, bytes.data() + 2 * i, 2);
    values[i] = convert(stored);
  }
  return values;
}

}  // namespace

int64_t host_dtype_bytes(const std::string& dtype) {
  static const std::map<std::string, int64_t> sizes = {
      {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E4M3", 1}, {"F8_E5M2", 1}, {"I16", 2}, {"U16", 2}, {"F16", 2},
      {"BF16", 2}, {"I32", 4}, {"U32", 4}, {"F32", 4},     {"F64", 8},     {"I64", 8}, {"U64", 8}};
  const auto found = sizes.find(dtype);
  return found == sizes.end() ? 0 : found->second;
}

int64_t host_elements(const std::vector<int64_t>& shape, const std::string& what) {
  int64_t count = 1;
  bool empty = false;
  for (const int64_t axis : shape) {
    TS_CHECK(axis >= 0, what, ": shape ", shape_text(shape), " has a negative axis");
    if (axis == 0) {
      empty = true;
      continue;
    }
    TS_CHECK(count <= (int64_t(1) << 62) / axis, what, ": shape ", shape_text(shape), " has more than 2^62 elements");
    count *= axis;
  }
  return empty ? 0 : count;
}

std::string shape_text(const std::vector<int64_t>& shape) {
  std::ostringstream out;
  out << '[';
  for (size_t i = 0; i < shape.size(); ++i) out << (i ? ", " : "") << shape[i];
  out << ']';
  return out.str();
}

std::vector<float> host_to_float32(const HostTensor& tensor, const std::string& what) {
  const std::string& type = tensor.dtype;
  const auto expected = host_elements(tensor.shape, what) * host_dtype_bytes(type);
  TS_CHECK(int64_t(tensor.bytes.size()) == expected, what, ": ", tensor.bytes.size(), " bytes do not fill ", type, " ",
           shape_text(tensor.shape));
  if (type == "F32") return widen<float>(tensor.bytes);
  if (type == "F64") return widen<double>(tensor.bytes);
  if (type == "F16") return widen16(tensor.bytes, float_of_half);
  if (type == "BF16") {
    return widen16(tensor.bytes, [](uint16_t stored) { return std::bit_cast<float>(uint32_t(stored) << 16); });
  }
  if (type == "I64") return widen<int64_t>(tensor.bytes);
  if (type == "U64") return widen<uint64_t>(tensor.bytes);
  if (type == "I32") return widen<int32_t>(tensor.bytes);
  if (type == "U32") return widen<uint32_t>(tensor.bytes);
  if (type == "I16") return widen<int16_t>(tensor.bytes);
  if (type == "U16") return widen<uint16_t>(tensor.bytes);
  if (type == "I8") return widen<int8_t>(tensor.bytes);
  if (type == "U8" || type == "BOOL") return widen<uint8_t>(tensor.bytes);
  fail(what, ": dtype ", type, " cannot be read as float32");
}

HostTensor host_from_float32(const std::vector<int64_t>& shape, const std::vector<float>& values) {
  HostTensor tensor{"F32", shape, std::vector<std::byte>(values.size() * sizeof(float))};
  TS_CHECK(host_elements(shape, "host_from_float32") == int64_t(values.size()), "host_from_float32: ", values.size(),
           " values do not fill shape ", shape_text(shape));
  if (!values.empty()) std::memcpy(tensor.bytes.data(), values.data(), tensor.bytes.size());
  return tensor;
}

}  // namespace tailseg
