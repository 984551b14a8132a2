// Loads, stores and atomics: what is moved once the places are known.
#include "tests/card/ptx_access.h"

#include <algorithm>
#include <map>
#include <string>
#include <type_traits>

#include "tests/card/ptx_places.h"

namespace tailseg::card {
namespace {

// Whether any byte of element k matters to the kernel.
bool is_used(const Instruction& in, int k, size_t bytes) {
  return (in.used_bytes >> (static_cast<size_t>(k) * bytes) & ((1u << bytes) - 1)) != 0;
}

template <class Element, class Register>
void load(const Instruction& in, WarpState& warp, uint32_t lanes) {
  constexpr size_t kBytes = sizeof(Element);
  Places places;
  find_places(in, warp, lanes, kBytes * in.count, places);
  if (places.row != nullptr && in.count == 1) {
    Element row[kLanes];
    std::memcpy(row, places.row, sizeof(row));
    Register* to = warp.reg<Register>(in.at[0]);
    for (int i = 0; i < kLanes; ++i) to[i] = static_cast<Register>(row[i]);
    return;
  }
  for (int k = 0; k < in.count; ++k) {
    const size_t skip = kBytes * static_cast<size_t>(k);
    if (places.shared != 0 && !in.is_loose && is_used(in, k, kBytes)) {
      for_lanes(places.shared,
                [&](int i) { touch_shared(in, warp, i, places.address[i] + skip, kBytes, Access::read, false); });
    }
    if (in.at[k] == kNoRegister) continue;
    Register* to = warp.reg<Register>(in.at[k]);
    for_lanes(lanes, [&](int i) {
      Element value;
      std::memcpy(&value, places.at[i] + skip, kBytes);
      to[i] = static_cast<Register>(value);
    });
  }
}

template <class Element, class Register>
void store(const Instruction& in, WarpState& warp, uint32_t lanes) {
  constexpr size_t kBytes = sizeof(Element);
  ++warp.launch->writes;
  Places places;
  find_places(in, warp, lanes, kBytes * in.count, places);
  for (int k = 0; k < in.count; ++k) {
    const size_t skip = kBytes * static_cast<size_t>(k);
    const Register* from = warp.reg<Register>(in.at[k]);
    for_lanes(lanes, [&](int i) {
      const auto value = static_cast<Element>(from[i]);
      uint8_t* to = places.at[i] + skip;
      if ((places.shared >> i & 1) != 0 && !in.is_loose) {
        const bool changes = std::memcmp(to, &value, kBytes) != 0;
        touch_shared(in, warp, i, places.address[i] + skip, kBytes, Access::write, changes);
      }
      std::memcpy(to, &value, kBytes);
    });
  }
}

template <class Element, class Register>
void load_parameter(const Instruction& in, WarpState& warp, uint32_t lanes) {
  for (int k = 0; k < in.count; ++k) {
    Element value;
    std::memcpy(&value, warp.launch->parameters.data() + in.offset + static_cast<size_t>(k) * sizeof(Element),
                sizeof(Element));
    Register same[kLanes];
    for (int i = 0; i < kLanes; ++i) same[i] = static_cast<Register>(value);
    put(warp.reg<Register>(in.at[k]), same, lanes);
  }
}

// One lane after the other, the lowest first. The result may be left out (red).
template <class T, T (*F)(T, T, T), bool has_second>
void atomic(const Instruction& in, WarpState& warp, uint32_t lanes) {
  ++warp.launch->writes;
  Places places;
  find_places(in, warp, lanes, sizeof(T), places);
  const T* first = warp.reg<T>(in.at[1]);
  const T* second = has_second ? warp.reg<T>(in.at[2]) : first;
  T old[kLanes] = {};
  for_lanes(lanes, [&](int i) {
    if ((places.shared >> i & 1) != 0) {
      touch_shared(in, warp, i, places.address[i], sizeof(T), Access::atomic, true);
    }
    std::memcpy(&old[i], places.at[i], sizeof(T));
    const T next = F(old[i], first[i], second[i]);
    std::memcpy(places.at[i], &next, sizeof(T));
  });
  if (in.at[0] != kNoRegister) put(warp.reg<T>(in.at[0]), old, lanes);
}

template <class T>
T add(T old, T b, T) {
  return static_cast<T>(old + b);
}
template <class T>
T smaller(T old, T b, T) {
  return std::min(old, b);
}
template <class T>
T larger(T old, T b, T) {
  return std::max(old, b);
}
template <class T>
T both(T old, T b, T) {
  return old & b;
}
template <class T>
T either(T old, T b, T) {
  return old | b;
}
template <class T>
T differing(T old, T b, T) {
  return old ^ b;
}
template <class T>
T exchanged(T, T b, T) {
  return b;
}
template <class T>
T compared(T old, T b, T c) {
  return old == b ? c : old;
}
template <class T>
T up(T old, T b, T) {
  return old >= b ? 0 : old + 1;
}
template <class T>
T down(T old, T b, T) {
  return old == 0 || old > b ? b : old - 1;
}

using Pair = std::pair<std::string_view, size_t>;

template <template <class, class> class Function>
Handler by_type(std::string_view type, size_t register_bytes) {
  static const std::map<Pair, Handler> handlers = {
      {{".u8", 2}, Function<uint8_t, uint16_t>::run},   {{".u8", 4}, Function<uint8_t, uint32_t>::run},
      {{".u8", 8}, Function<uint8_t, uint64_t>::run},   {{".s8", 2}, Function<int8_t, int16_t>::run},
      {{".s8", 4}, Function<int8_t, int32_t>::run},     {{".s8", 8}, Function<int8_t, int64_t>::run},
      {{".u16", 2}, Function<uint16_t, uint16_t>::run}, {{".u16", 4}, Function<uint16_t, uint32_t>::run},
      {{".u16", 8}, Function<uint16_t, uint64_t>::run}, {{".s16", 2}, Function<int16_t, int16_t>::run},
      {{".s16", 4}, Function<int16_t, int32_t>::run},   {{".s16", 8}, Function<int16_t, int64_t>::run},
      {{".u32", 4}, Function<uint32_t, uint32_t>::run}, {{".u32", 8}, Function<uint32_t, uint64_t>::run},
      {{".s32", 4}, Function<int32_t, int32_t>::run},   {{".s32", 8}, Function<int32_t, int64_t>::run},
      {{".u64", 8}, Function<uint64_t, uint64_t>::run}, {{".s64", 8}, Function<int64_t, int64_t>::run},
  };
  const auto found = handlers.find(Pair{type, register_bytes});
  return found == handlers.end() ? nullptr : found->second;
}

template <class E, class R>
struct Load {
  static constexpr Handler run = load<E, R>;
};
template <class E, class R>
struct Store {
  static constexpr Handler run = store<E, R>;
};
template <class E, class R>
struct LoadParameter {
  static constexpr Handler run = load_parameter<E, R>;
};

// Bits and floats move as the unsigned numbers of their size.
std::string_view as_integer(std::string_view type) {
  static const std::map<std::string_view, std::string_view> same = {
      {".b8", ".u8"},   {".b16", ".u16"},  {".b32", ".u32"}, {".b64", ".u64"},
      {".f16", ".u16"}, {".bf16", ".u16"}, {".f32", ".u32"}, {".f64", ".u64"}};
  const auto found = same.find(type);
  return found == same.end() ? type : found->second;
}

}  // namespace

Handler find_load(std::string_view type, size_t register_bytes) {
  return by_type<Load>(as_integer(type), register_bytes);
}
Handler find_parameter_load(std::string_view type, size_t register_bytes) {
  return by_type<LoadParameter>(as_integer(type), register_bytes);
}
Handler find_store(size_t element_bytes, size_t register_bytes) {
  const std::string type = ".u" + std::to_string(8 * element_bytes);
  return by_type<Store>(type, register_bytes);
}

Handler find_atomic(std::string_view operation) {
  using U = uint32_t;
  using W = uint64_t;
  static const std::map<std::string_view, Handler> handlers = {
      {"add.u32", atomic<U, add<U>, false>},
      {"add.s32", atomic<U, add<U>, false>},
      {"add.u64", atomic<W, add<W>, false>},
      {"add.s64", atomic<W, add<W>, false>},
      {"add.f32", atomic<float, add<float>, false>},
      {"add.f64", atomic<double, add<double>, false>},
      {"min.u32", atomic<U, smaller<U>, false>},
      {"max.u32", atomic<U, larger<U>, false>},
      {"min.u64", atomic<W, smaller<W>, false>},
      {"max.u64", atomic<W, larger<W>, false>},
      {"min.s32", atomic<int32_t, smaller<int32_t>, false>},
      {"max.s32", atomic<int32_t, larger<int32_t>, false>},
      {"min.s64", atomic<int64_t, smaller<int64_t>, false>},
      {"max.s64", atomic<int64_t, larger<int64_t>, false>},
      {"and.b32", atomic<U, both<U>, false>},
      {"and.b64", atomic<W, both<W>, false>},
      {"or.b32", atomic<U, either<U>, false>},
      {"or.b64", atomic<W, either<W>, false>},
      {"xor.b32", atomic<U, differing<U>, false>},
      {"xor.b64", atomic<W, differing<W>, false>},
      {"exch.b32", atomic<U, exchanged<U>, false>},
      {"exch.b64", atomic<W, exchanged<W>, false>},
      {"cas.b32", atomic<U, compared<U>, true>},
      {"cas.b64", atomic<W, compared<W>, true>},
      {"inc.u32", atomic<U, up<U>, false>},
      {"dec.u32", atomic<U, down<U>, false>},
  };
  const auto found = handlers.find(operation);
  return found == handlers.end() ? nullptr : found->second;
}

}  // namespace tailseg::card
