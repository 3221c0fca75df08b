#include "almanac/base.h"

/* PCG32: a 64-bit linear step and a permuted 32-bit output. */
uint32_t al_random_next(uint64_t *state) {
  uint64_t before = *state;
  *state = before * 6364136223846793005u + 1442695040888963407u;
  uint32_t mixed = (uint32_t)(((before >> 18) ^ before) >> 27);
  uint32_t turn = (uint32_t)(before >> 59);
  return mixed >> turn | mixed << (-turn & 31);
}
