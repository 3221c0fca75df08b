#include "almanac/base.h"

/* Pairs of count and byte; a run is at most 255 long. */
size_t al_rle_encode(const uint8_t *bytes, size_t size, uint8_t *packed, size_t capacity) {
  size_t used = 0, i = 0;
  while (i < size) {
    size_t run = 1;
    while (i + run < size && run < 255 && bytes[i + run] == bytes[i]) ++run;
    if (used + 2 > capacity) return 0;
    packed[used++] = (uint8_t)run;
    packed[used++] = bytes[i];
    i += run;
  }
  return used;
}
