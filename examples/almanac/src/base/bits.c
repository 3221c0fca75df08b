#include "almanac/base.h"

void al_bits_set(uint32_t *words, size_t index) { words[index / 32] |= UINT32_C(1) << index % 32; }

int al_bits_test(const uint32_t *words, size_t index) { return words[index / 32] >> index % 32 & 1; }

size_t al_bits_count(const uint32_t *words, size_t word_count) {
  size_t count = 0;
  for (size_t i = 0; i < word_count; ++i)
    for (uint32_t word = words[i]; word != 0; word &= word - 1) ++count;
  return count;
}
