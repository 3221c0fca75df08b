#include "almanac/base.h"
#include "crc32_table.h"

uint32_t al_crc32(uint32_t seed, const void *bytes, size_t size) {
  const uint8_t *next = bytes;
  uint32_t sum = ~seed;
  while (size-- > 0) sum = (sum >> 8) ^ crc32_table[(sum ^ *next++) & 0xffu];
  return ~sum;
}
