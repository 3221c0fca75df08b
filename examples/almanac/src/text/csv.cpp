#include "almanac/text.hpp"

namespace almanac {

// Quoted fields may contain commas, line ends and doubled quotes.
std::vector<std::vector<std::string>> parse_csv(std::string_view text) {
  std::vector<std::vector<std::string>> rows(1, std::vector<std::string>(1));
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char next = text[i];
    if (quoted) {
      if (next != '"') {
        rows.back().back() += next;
      } else if (i + 1 < text.size() && text[i + 1] == '"') {
        rows.back().back() += text[++i];
      } else {
        quoted = false;
      }
    } else if (next == '"') {
      quoted = true;
    } else if (next == ',') {
      rows.back().emplace_back();
    } else if (next == '\n') {
      rows.emplace_back(1);
    } else {
      rows.back().back() += next;
    }
  }
  if (rows.back().size() == 1 && rows.back().front().empty()) rows.pop_back();
  return rows;
}

}  // namespace almanac
