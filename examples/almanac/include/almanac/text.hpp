#pragma once
// Text in and out. Functions take views and return new strings; nothing here keeps a reference.
#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace almanac {

std::vector<std::string> split(std::string_view text, char separator);
std::string_view trim(std::string_view text);
std::string wrap(std::string_view text, std::size_t width);
std::vector<std::vector<std::string>> parse_csv(std::string_view text);
bool matches_glob(std::string_view pattern, std::string_view text);
std::size_t edit_distance(std::string_view left, std::string_view right);
std::string roman_numeral(unsigned value);
std::string group_digits(long long value, char separator);

// Joins anything that has a begin, an end and elements that append to a string.
template <typename Range>
std::string join(const Range& parts, std::string_view separator) {
  std::string text;
  bool first = true;
  for (const auto& part : parts) {
    if (!first) text += separator;
    text += part;
    first = false;
  }
  return text;
}

// Columns as wide as their widest cell.
class Table {
 public:
  explicit Table(std::initializer_list<std::string> header);
  Table& row(std::vector<std::string> cells);
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

// Objects and arrays with indentation; strings are escaped.
class JsonWriter {
 public:
  JsonWriter& begin_object();
  JsonWriter& end_object();
  JsonWriter& begin_array();
  JsonWriter& end_array();
  JsonWriter& key(std::string_view name);
  JsonWriter& value(std::string_view text);
  JsonWriter& value(double number);
  const std::string& text() const { return text_; }

 private:
  void open(char bracket);
  void close(char bracket);
  void separate();
  void quote(std::string_view text);
  std::string text_;
  std::vector<bool> has_members_;
  bool after_key_ = false;
};

}  // namespace almanac
