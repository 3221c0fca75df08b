#include "almanac/base.h"

size_t al_utf8_encode(uint32_t code_point, char text[4]) {
  if (code_point < 0x80) {
    text[0] = (char)code_point;
    return 1;
  }
  size_t size = code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
  static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
  for (size_t i = size - 1; i > 0; --i) {
    text[i] = (char)(0x80 | (code_point & 63));
    code_point >>= 6;
  }
  text[0] = (char)(lead[size] | code_point);
  return size;
}

size_t al_utf8_length(const char *text) {
  size_t count = 0;
  for (; *text != '\0'; ++text) count += ((unsigned char)*text & 0xc0) != 0x80;
  return count;
}
