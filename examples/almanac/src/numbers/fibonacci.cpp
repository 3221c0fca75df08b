// Computed by the compiler: the checks below fail the build, not the program.
#include "almanac/matrix.hpp"

namespace almanac {

constexpr unsigned long fibonacci(unsigned index) {
  constexpr Matrix<unsigned long, 2, 2> step{{{1, 1}, {1, 0}}};
  return power(step, index).cells[0][1];
}

static_assert(fibonacci(0) == 0 && fibonacci(1) == 1 && fibonacci(10) == 55);
static_assert(fibonacci(90) == 2880067194370816120ul);

unsigned long fibonacci_at(unsigned index) { return fibonacci(index); }

}  // namespace almanac
