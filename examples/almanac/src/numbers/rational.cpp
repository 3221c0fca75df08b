#include "almanac/numbers.hpp"

#include <numeric>

namespace almanac {

Rational::Rational(std::int64_t numerator, std::int64_t denominator) {
  const std::int64_t sign = denominator < 0 ? -1 : 1;
  const std::int64_t divisor = std::gcd(numerator, denominator);
  numerator_ = sign * numerator / divisor;
  denominator_ = sign * denominator / divisor;
}

Rational operator+(const Rational& left, const Rational& right) {
  return {left.numerator_ * right.denominator_ + right.numerator_ * left.denominator_,
          left.denominator_ * right.denominator_};
}

Rational operator*(const Rational& left, const Rational& right) {
  return {left.numerator_ * right.numerator_, left.denominator_ * right.denominator_};
}

bool operator==(const Rational& left, const Rational& right) {
  return left.numerator_ == right.numerator_ && left.denominator_ == right.denominator_;
}

}  // namespace almanac
