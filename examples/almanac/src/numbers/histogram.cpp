#include "almanac/numbers.hpp"

namespace almanac {

std::vector<std::size_t> histogram(const std::vector<double>& values, double low, double high, std::size_t bins) {
  std::vector<std::size_t> counts(bins);
  for (const double value : values) {
    if (value < low || value >= high) continue;
    ++counts[static_cast<std::size_t>((value - low) / (high - low) * static_cast<double>(bins))];
  }
  return counts;
}

}  // namespace almanac
