#include "almanac/base.h"
#include "check.hpp"

#include <cstdint>
#include <cstring>

namespace almanac {

void check_base(Checks& checks) {
  CHECK(al_crc32(0, "123456789", 9) == 0xcbf43926u);
  CHECK(al_adler32("Wikipedia", 9) == 0x11e60398u);
  CHECK(al_fnv1a("a", 1) == 0xaf63dc4c8601ec8cu);

  char text[32];
  CHECK(al_base64_encode(reinterpret_cast<const std::uint8_t*>("hello"), 5, text, sizeof text) == 8);
  CHECK(std::memcmp(text, "aGVsbG8=", 8) == 0);
  CHECK(al_hex_encode(reinterpret_cast<const std::uint8_t*>("\x01\xfe"), 2, text, sizeof text) == 4);
  CHECK(std::memcmp(text, "01fe", 4) == 0);

  std::uint8_t bytes[10];
  std::uint64_t value = 0;
  CHECK(al_varint_encode(300, bytes, sizeof bytes) == 2 && al_varint_decode(bytes, 2, &value) == 2 && value == 300);
  CHECK(al_rle_encode(reinterpret_cast<const std::uint8_t*>("aaab"), 4, bytes, sizeof bytes) == 4 && bytes[0] == 3);
  CHECK(al_utf8_encode(0x20ac, text) == 3 && al_utf8_length("gr\xc3\xbc\xc3\x9f") == 4);

  std::int32_t slots[2], taken = 0;
  al_ring ring;
  al_ring_init(&ring, slots, 2);
  CHECK(al_ring_push(&ring, 7) && al_ring_push(&ring, 8) && !al_ring_push(&ring, 9));
  CHECK(al_ring_pop(&ring, &taken) && taken == 7);

  std::uint32_t words[4] = {};
  al_bits_set(words, 3);
  al_bits_set(words, 100);
  CHECK(al_bits_test(words, 100) && !al_bits_test(words, 99) && al_bits_count(words, 4) == 2);

  std::int32_t values[] = {5, -1, 9, 0, 5};
  al_heap_sort(values, 5);
  CHECK(values[0] == -1 && values[2] == 5 && values[4] == 9);

  std::uint64_t state = 42;
  const std::uint32_t first = al_random_next(&state);
  CHECK(first != al_random_next(&state));
  CHECK(al_compare_versions("3.9", "3.14") < 0 && al_compare_versions("1.0", "1.0") == 0);
}

}  // namespace almanac
