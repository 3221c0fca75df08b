#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace almanac {

double mean(const std::vector<double>& values);
double variance(const std::vector<double>& values);
double quantile(std::vector<double> values, double fraction);
std::vector<std::uint32_t> primes_below(std::uint32_t limit);
std::vector<std::size_t> histogram(const std::vector<double>& values, double low, double high, std::size_t bins);
double interpolate(const std::vector<double>& xs, const std::vector<double>& ys, double x);

// Real roots of a*x^2 + b*x + c in ascending order; `count` of them.
struct Roots {
  int count;
  std::array<double, 2> values;
};
Roots solve_quadratic(double a, double b, double c);

class Rational {
 public:
  Rational(std::int64_t numerator, std::int64_t denominator);
  std::int64_t numerator() const { return numerator_; }
  std::int64_t denominator() const { return denominator_; }
  friend Rational operator+(const Rational& left, const Rational& right);
  friend Rational operator*(const Rational& left, const Rational& right);
  friend bool operator==(const Rational& left, const Rational& right);

 private:
  std::int64_t numerator_, denominator_;
};

class Polynomial {
 public:
  explicit Polynomial(std::vector<double> coefficients) : coefficients_(static_cast<std::vector<double>&&>(coefficients)) {}
  double operator()(double x) const;
  Polynomial derivative() const;

 private:
  std::vector<double> coefficients_;  // lowest power first
};

}  // namespace almanac
