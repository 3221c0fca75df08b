#include "almanac/base.h"

uint64_t al_fnv1a(const void *bytes, size_t size) {
  const uint8_t *next = bytes;
  uint64_t hash = 0xcbf29ce484222325u;
  for (size_t i = 0; i < size; ++i) hash = (hash ^ next[i]) * 0x100000001b3u;
  return hash;
}
