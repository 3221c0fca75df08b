#include "almanac/numbers.hpp"
#include "check.hpp"

namespace almanac {

unsigned long fibonacci_at(unsigned index);
int count_orientations();

void check_numbers(Checks& checks) {
  CHECK(mean({1, 2, 6}) == 3 && variance({2, 4}) == 1 && quantile({3, 1, 2}, 0.5) == 2);
  CHECK(primes_below(30).size() == 10 && primes_below(30).back() == 29);
  CHECK((histogram({0.5, 1.5, 1.6}, 0, 2, 2) == std::vector<std::size_t>{1, 2}));
  CHECK(interpolate({0, 10}, {0, 100}, 2.5) == 25);
  const Roots roots = solve_quadratic(1, -3, 2);
  CHECK(roots.count == 2 && roots.values[0] == 1 && roots.values[1] == 2);
  CHECK(Rational(1, 2) + Rational(1, 3) == Rational(5, 6) && Rational(2, -4).numerator() == -1);
  CHECK(Polynomial({1, 0, 2})(3) == 19 && Polynomial({1, 0, 2}).derivative()(3) == 12);
  CHECK(fibonacci_at(50) == 12586269025ul);
  CHECK(count_orientations() == 24);
}

}  // namespace almanac
