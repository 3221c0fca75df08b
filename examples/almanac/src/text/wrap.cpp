#include "almanac/text.hpp"

#include <sstream>

namespace almanac {

std::string wrap(std::string_view text, std::size_t width) {
  std::istringstream words{std::string(text)};
  std::string result, word;
  std::size_t column = 0;
  while (words >> word) {
    if (column > 0 && column + 1 + word.size() > width) {
      result += '\n';
      column = 0;
    }
    if (column > 0) {
      result += ' ';
      ++column;
    }
    result += word;
    column += word.size();
  }
  return result;
}

}  // namespace almanac
