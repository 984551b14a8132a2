// A module: its variables in global memory and its kernels, decoded.
#include <algorithm>
#include <cstring>
#include <unordered_map>

#include "tests/card/ptx_decode.h"

namespace tailseg::card {
namespace {

class ParsedModule : public Module {
 public:
  ParsedModule(std::string text, Memory& memory) {
    facts_.text = std::make_shared<const std::string>(std::move(text));
    const ModuleText parts = read_module(*facts_.text);
    facts_.parts = &parts;
    for (const Declaration& d : parts.variables) add_variable(d, memory);
    for (const FunctionText& f : parts.functions) {
      if (!f.is_entry) continue;
      Kernel& kernel = kernels_[std::string(f.name)];
      Decoder(facts_, kernel).decode(f);
    }
    facts_.parts = nullptr;
  }

  const Kernel* find_kernel(const std::string& name) const override {
    const auto found = kernels_.find(name);
    return found == kernels_.end() ? nullptr : &found->second;
  }
  uint64_t find_variable(const std::string& name) const override {
    const auto found = facts_.variables.find(name);
    return found == facts_.variables.end() ? 0 : found->second.address;
  }

 private:
  void add_variable(const Declaration& d, Memory& memory) {
    if (d.space == ".shared") return;  // takes room in the kernels that name it
    if (d.is_external || d.bytes == 0) {
      throw std::runtime_error("PTX: variable " + std::string(d.name) + " is another module's");
    }
    const uint64_t address = memory.allocate(d.bytes);
    uint8_t* bytes = memory.find(address, d.bytes);
    std::memset(bytes, 0, d.bytes);
    std::copy(d.initial.begin(), d.initial.end(), bytes);
    facts_.variables[d.name] = {Space::global, address, d.bytes, false};
  }

  ModuleFacts facts_;
  std::unordered_map<std::string, Kernel> kernels_;
};

}  // namespace

std::unique_ptr<Module> Module::parse(std::string text, Memory& memory) {
  return std::make_unique<ParsedModule>(std::move(text), memory);
}

const KernelFacts& facts_of(const Kernel& kernel) { return kernel.facts; }

}  // namespace tailseg::card
