// TOML configurations and overrides: what is accepted must survive being written and read again.
#include <cstddef>
#include <cstdint>
#include <string>

#include "apps/config/config.h"
#include "tensor/error.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  tailseg::Config config;
  const tailseg::ConfigSchema schema = tailseg::config_schema(config);
  try {
    for (const tailseg::ConfigEntry& entry : tailseg::parse_toml(text, "fuzz")) schema.apply(entry);
    const std::string written = tailseg::config_toml(config);
    tailseg::Config again;
    const tailseg::ConfigSchema second = tailseg::config_schema(again);
    for (const tailseg::ConfigEntry& entry : tailseg::parse_toml(written, "again")) second.apply(entry);
    if (tailseg::config_toml(again) != written) __builtin_trap();
  } catch (const tailseg::Error&) {
  }
  try {
    schema.apply(tailseg::parse_override(text));
  } catch (const tailseg::Error&) {
  }
  return 0;
}
