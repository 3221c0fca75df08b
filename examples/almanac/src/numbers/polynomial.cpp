#include "almanac/numbers.hpp"

namespace almanac {

double Polynomial::operator()(double x) const {
  double sum = 0;
  for (auto i = coefficients_.size(); i-- > 0;) sum = sum * x + coefficients_[i];
  return sum;
}

Polynomial Polynomial::derivative() const {
  std::vector<double> result;
  for (std::size_t i = 1; i < coefficients_.size(); ++i) result.push_back(static_cast<double>(i) * coefficients_[i]);
  return Polynomial(result);
}

}  // namespace almanac
