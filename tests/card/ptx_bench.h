// A small device memory and a way to run a few lines of PTX, for tests of the interpreter.
#pragma once

#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/card/ptx.h"

namespace tailseg::card {

class BenchMemory : public Memory {
 public:
  static constexpr uint64_t kFirst = 0x10000000;

  uint8_t* find(uint64_t address, size_t size) override {
    const Range found = range(address);
    const bool fits = found.host != nullptr && size <= found.end - address;
    return fits ? found.host + (address - found.begin) : nullptr;
  }
  Range range(uint64_t address) override {
    auto next = blocks_.upper_bound(address);
    if (next == blocks_.begin()) return {};
    auto& [begin, bytes] = *--next;
    if (address >= begin + bytes.size()) return {};
    return {begin, begin + bytes.size(), bytes.data()};
  }
  std::string describe(uint64_t address) const override {
    return freed_.count(address) != 0 ? "freed" : "not allocated";
  }
  uint64_t allocate(size_t bytes) override {
    const uint64_t address = next_;
    next_ += (bytes / 256 + 2) * 256;
    blocks_[address].assign(bytes, 0xcd);
    return address;
  }
  void free(uint64_t address) {
    blocks_.erase(address);
    freed_[address] = true;
  }

 private:
  std::map<uint64_t, std::vector<uint8_t>> blocks_;
  std::map<uint64_t, bool> freed_;
  uint64_t next_ = kFirst;
};

// One kernel "k" with parameters a, b (pointers) and n. Registers of all types are declared: %r, %rd, %f, %fd, %rs, %p;
// before `body` runs, %r0 is the thread's number in the block, %rd0 is a, %rd1 is b, %r1 is n, and %rd2 and %rd3 are
// the places of the thread's own 8 bytes in a and b.
class Bench {
 public:
  explicit Bench(const std::string& body, const std::string& outside = "") {
    module_ = Module::parse(R"(.version 9.0
.target sm_90
.address_size 64
)" + outside + R"(
.visible .entry k(.param .u64 a, .param .u64 b, .param .u32 n)
{
.reg .pred %p<20>; .reg .b16 %rs<20>; .reg .b32 %r<50>; .reg .b64 %rd<50>; .reg .f32 %f<50>; .reg .f64 %fd<50>;
mov.u32 %r0, %tid.x;
ld.param.u64 %rd0, [a];
ld.param.u64 %rd1, [b];
ld.param.u32 %r1, [n];
mul.wide.u32 %rd49, %r0, 8;
add.s64 %rd2, %rd0, %rd49;
add.s64 %rd3, %rd1, %rd49;
)" + body + "\nret;\n}\n",
                            memory);
  }

  // Threads of one block, each with 8 bytes of input and of output.
  std::vector<uint64_t> operator()(const std::vector<uint64_t>& input, uint32_t n = 0, RunOptions options = {}) {
    const auto threads = static_cast<uint32_t>(input.size());
    const uint64_t a = memory.allocate(8 * threads), b = memory.allocate(8 * threads);
    std::memcpy(memory.find(a, 8 * threads), input.data(), 8 * threads);
    std::memset(memory.find(b, 8 * threads), 0, 8 * threads);
    launch(a, b, n, threads, options);
    std::vector<uint64_t> output(threads);
    std::memcpy(output.data(), memory.find(b, 8 * threads), 8 * threads);
    return output;
  }

  void launch(uint64_t a, uint64_t b, uint32_t n, uint32_t threads, RunOptions options = {}) {
    LaunchShape shape;
    shape.block.x = threads;
    shape.dynamic_shared = dynamic_shared;
    const void* arguments[] = {&a, &b, &n};
    run(*module_->find_kernel("k"), shape, arguments, memory, options);
  }

  Module& module() { return *module_; }

  BenchMemory memory;
  size_t dynamic_shared = 0;

 private:
  std::unique_ptr<Module> module_;
};

}  // namespace tailseg::card
