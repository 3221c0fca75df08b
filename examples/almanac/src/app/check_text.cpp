#include "almanac/text.hpp"
#include "check.hpp"

namespace almanac {

void check_text(Checks& checks) {
  CHECK(join(split("a;b;;c", ';'), "-") == "a-b--c");
  CHECK(trim(" \t x y \n") == "x y" && trim("  ").empty());
  CHECK(wrap("one two three four", 9) == "one two\nthree\nfour");
  CHECK(parse_csv("a,\"b,\"\"c\"\n1,2\n")[0][1] == "b,\"c");
  CHECK(matches_glob("*.c?p", "main.cpp") && !matches_glob("a*b", "abc"));
  CHECK(edit_distance("kitten", "sitting") == 3);
  CHECK(roman_numeral(1994) == "MCMXCIV");
  CHECK(group_digits(-1234567, '.') == "-1.234.567");
  CHECK((Table{"k", "v"}.row({"long", "1"}).text()) == "k     v\nlong  1\n");
  JsonWriter json;
  json.begin_object().key("a").value(1.5).key("b").begin_array().end_array().end_object();
  CHECK(json.text() == "{\n  \"a\": 1.5,\n  \"b\": []\n}");
}

}  // namespace almanac
