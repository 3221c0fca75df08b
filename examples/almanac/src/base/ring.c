#include "almanac/base.h"

void al_ring_init(struct al_ring *ring, int32_t *slots, size_t capacity) {
  *ring = (struct al_ring){.slots = slots, .capacity = capacity};
}

int al_ring_push(struct al_ring *ring, int32_t value) {
  if (ring->used == ring->capacity) return 0;
  ring->slots[(ring->first + ring->used++) % ring->capacity] = value;
  return 1;
}

int al_ring_pop(struct al_ring *ring, int32_t *value) {
  if (ring->used == 0) return 0;
  *value = ring->slots[ring->first];
  ring->first = (ring->first + 1) % ring->capacity;
  --ring->used;
  return 1;
}
