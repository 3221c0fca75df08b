#include "almanac/text.hpp"

#include <utility>

namespace almanac {

std::string roman_numeral(unsigned value) {
  static constexpr std::pair<unsigned, const char*> steps[] = {
      {1000, "M"}, {900, "CM"}, {500, "D"}, {400, "CD"}, {100, "C"}, {90, "XC"}, {50, "L"},
      {40, "XL"},  {10, "X"},   {9, "IX"},  {5, "V"},    {4, "IV"},  {1, "I"},
  };
  std::string numeral;
  for (const auto& [amount, letters] : steps)
    for (; value >= amount; value -= amount) numeral += letters;
  return numeral;
}

}  // namespace almanac
