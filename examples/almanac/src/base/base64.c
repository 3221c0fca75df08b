#include "almanac/base.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t al_base64_encode(const uint8_t *bytes, size_t size, char *text, size_t capacity) {
  size_t used = 0;
  if (capacity < (size + 2) / 3 * 4) return 0;
  for (size_t i = 0; i < size; i += 3) {
    uint32_t group = (uint32_t)bytes[i] << 16;
    if (i + 1 < size) group |= (uint32_t)bytes[i + 1] << 8;
    if (i + 2 < size) group |= bytes[i + 2];
    text[used++] = alphabet[group >> 18];
    text[used++] = alphabet[group >> 12 & 63];
    text[used++] = i + 1 < size ? alphabet[group >> 6 & 63] : '=';
    text[used++] = i + 2 < size ? alphabet[group & 63] : '=';
  }
  return used;
}
