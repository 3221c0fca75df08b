#include "almanac/base.h"

size_t al_varint_encode(uint64_t value, uint8_t *bytes, size_t capacity) {
  size_t used = 0;
  do {
    if (used == capacity) return 0;
    bytes[used++] = (uint8_t)((value & 127u) | (value > 127u ? 128u : 0u));
    value >>= 7;
  } while (value != 0);
  return used;
}

size_t al_varint_decode(const uint8_t *bytes, size_t size, uint64_t *value) {
  uint64_t sum = 0;
  for (size_t i = 0; i < size && i < 10; ++i) {
    sum |= (uint64_t)(bytes[i] & 127u) << (7 * i);
    if ((bytes[i] & 128u) == 0) {
      *value = sum;
      return i + 1;
    }
  }
  return 0;
}
