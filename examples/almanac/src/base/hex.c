#include "almanac/base.h"

size_t al_hex_encode(const uint8_t *bytes, size_t size, char *text, size_t capacity) {
  static const char digits[] = "0123456789abcdef";
  if (capacity < size * 2) return 0;
  for (size_t i = 0; i < size; ++i) {
    text[2 * i] = digits[bytes[i] >> 4];
    text[2 * i + 1] = digits[bytes[i] & 15];
  }
  return size * 2;
}
