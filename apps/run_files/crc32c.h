// CRC-32C (Castagnoli): polynomial 0x1EDC6F41, reflected, start and end inverted (RFC 3720). "123456789" -> E3069283.
#pragma once

#include <cstdint>
#include <string_view>

namespace tailseg {

uint32_t crc32c(std::string_view bytes);

// As records of TensorFlow store it: rotated right by 15 and shifted by a constant, so that the checksum of data that
// holds checksums stays sound.
uint32_t masked_crc32c(std::string_view bytes);

}  // namespace tailseg
