#include "almanac/text.hpp"

#include <cstdio>

namespace almanac {

JsonWriter& JsonWriter::begin_object() { return open('{'), *this; }
JsonWriter& JsonWriter::end_object() { return close('}'), *this; }
JsonWriter& JsonWriter::begin_array() { return open('['), *this; }
JsonWriter& JsonWriter::end_array() { return close(']'), *this; }

JsonWriter& JsonWriter::key(std::string_view name) {
  separate();
  quote(name);
  text_ += ": ";
  after_key_ = true;
  return *this;
}

JsonWriter& JsonWriter::value(std::string_view text) {
  separate();
  quote(text);
  return *this;
}

JsonWriter& JsonWriter::value(double number) {
  separate();
  char digits[32];
  std::snprintf(digits, sizeof digits, "%g", number);
  text_ += digits;
  return *this;
}

void JsonWriter::open(char bracket) {
  separate();
  text_ += bracket;
  has_members_.push_back(false);
}

void JsonWriter::close(char bracket) {
  const bool had_members = has_members_.back();
  has_members_.pop_back();
  if (had_members) text_.append(1, '\n').append(2 * has_members_.size(), ' ');
  text_ += bracket;
}

void JsonWriter::separate() {
  if (after_key_) {
    after_key_ = false;
    return;
  }
  if (has_members_.empty()) return;
  if (has_members_.back()) text_ += ',';
  has_members_.back() = true;
  text_.append(1, '\n').append(2 * has_members_.size(), ' ');
}

void JsonWriter::quote(std::string_view text) {
  text_ += '"';
  for (const char next : text) {
    if (next == '"' || next == '\\') text_ += '\\';
    text_ += next;
  }
  text_ += '"';
}

}  // namespace almanac
