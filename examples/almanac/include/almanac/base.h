#ifndef ALMANAC_BASE_H
#define ALMANAC_BASE_H
/* The C layer: no allocation, no global state. Every function that fills a buffer returns the bytes used. */
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

uint32_t al_crc32(uint32_t seed, const void *bytes, size_t size);
uint32_t al_adler32(const void *bytes, size_t size);
uint64_t al_fnv1a(const void *bytes, size_t size);

size_t al_base64_encode(const uint8_t *bytes, size_t size, char *text, size_t capacity);
size_t al_hex_encode(const uint8_t *bytes, size_t size, char *text, size_t capacity);
size_t al_varint_encode(uint64_t value, uint8_t *bytes, size_t capacity);
size_t al_varint_decode(const uint8_t *bytes, size_t size, uint64_t *value);
size_t al_rle_encode(const uint8_t *bytes, size_t size, uint8_t *packed, size_t capacity);
size_t al_utf8_encode(uint32_t code_point, char text[4]);
size_t al_utf8_length(const char *text);

struct al_ring {
  int32_t *slots;
  size_t capacity, first, used;
};
void al_ring_init(struct al_ring *ring, int32_t *slots, size_t capacity);
int al_ring_push(struct al_ring *ring, int32_t value);
int al_ring_pop(struct al_ring *ring, int32_t *value);

void al_bits_set(uint32_t *words, size_t index);
int al_bits_test(const uint32_t *words, size_t index);
size_t al_bits_count(const uint32_t *words, size_t word_count);

void al_heap_sort(int32_t *values, size_t count);
uint32_t al_random_next(uint64_t *state);
int al_compare_versions(const char *left, const char *right);

#ifdef __cplusplus
}
#endif
#endif
