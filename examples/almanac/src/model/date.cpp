#include "almanac/model.hpp"

#include <cstdio>

namespace almanac {

// Days since 1970-01-01. A year is counted from March, so that the leap day is its last.
long day_number(const Date& date) {
  const long year = date.month <= 2 ? date.year - 1L : date.year;
  const long era = (year >= 0 ? year : year - 399) / 400;
  const long year_of_era = year - era * 400;
  const long day_of_year = (153L * (date.month + (date.month > 2 ? -3 : 9)) + 2) / 5 + date.day - 1;
  return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

Date date_of(long number) {
  number += 719468;
  const long era = (number >= 0 ? number : number - 146096) / 146097;
  const long day_of_era = number - era * 146097;
  const long year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const long day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const long shifted_month = (5 * day_of_year + 2) / 153;
  const int month = static_cast<int>(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);
  const int year = static_cast<int>(year_of_era + era * 400) + (month <= 2 ? 1 : 0);
  return {year, month, static_cast<int>(day_of_year - (153 * shifted_month + 2) / 5 + 1)};
}

// Monday is 0.
int weekday(const Date& date) { return static_cast<int>(((day_number(date) + 3) % 7 + 7) % 7); }

std::string to_string(const Date& date) {
  char text[40];
  std::snprintf(text, sizeof text, "%04d-%02d-%02d", date.year, date.month, date.day);
  return text;
}

std::optional<Date> parse_date(std::string_view text) {
  Date date{};
  int used = 0;
  const std::string copy(text);
  if (std::sscanf(copy.c_str(), "%d-%d-%d%n", &date.year, &date.month, &date.day, &used) != 3) return std::nullopt;
  if (static_cast<std::size_t>(used) != copy.size() || date.month < 1 || date.month > 12) return std::nullopt;
  const Date normalised = date_of(day_number(date));
  if (normalised.month != date.month || normalised.day != date.day) return std::nullopt;
  return date;
}

}  // namespace almanac
