#include "check.hpp"

#include <cstdio>

namespace almanac {

void Checks::operator()(bool holds, const char* what, const char* file, int line) {
  ++made;
  if (holds) return;
  ++failed;
  std::fprintf(stderr, "%s:%d: %s does not hold\n", file, line, what);
}

}  // namespace almanac
