#include "almanac/numbers.hpp"

#include <cmath>

namespace almanac {

Roots solve_quadratic(double a, double b, double c) {
  const double discriminant = b * b - 4 * a * c;
  if (discriminant < 0) return {0, {}};
  // Adding numbers of the same sign keeps the digits that a subtraction would cancel.
  const double sum = -(b + std::copysign(std::sqrt(discriminant), b)) / 2;
  const double first = sum / a, second = sum == 0 ? first : c / sum;
  if (discriminant == 0) return {1, {first}};
  return {2, {first < second ? first : second, first < second ? second : first}};
}

}  // namespace almanac
