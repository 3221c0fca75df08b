#include "almanac/base.h"

enum { modulus = 65521 };

uint32_t al_adler32(const void *bytes, size_t size) {
  const uint8_t *next = bytes;
  uint32_t low = 1, high = 0;
  while (size-- > 0) {
    low = (low + *next++) % modulus;
    high = (high + low) % modulus;
  }
  return high << 16 | low;
}
