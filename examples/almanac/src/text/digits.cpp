#include "almanac/text.hpp"

namespace almanac {

std::string group_digits(long long value, char separator) {
  std::string digits = std::to_string(value);
  const std::size_t sign = value < 0 ? 1 : 0;
  for (std::size_t i = digits.size(); i > sign + 3; i -= 3) digits.insert(i - 3, 1, separator);
  return digits;
}

}  // namespace almanac
