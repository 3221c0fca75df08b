#pragma once
#include <iosfwd>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace almanac {

// A day of the proleptic Gregorian calendar.
struct Date {
  int year, month, day;
};
long day_number(const Date& date);
Date date_of(long day_number);
int weekday(const Date& date);
std::string to_string(const Date& date);
std::optional<Date> parse_date(std::string_view text);

struct Position {
  double latitude, longitude;  // degrees
};
double distance_km(const Position& from, const Position& to);
double daylight_hours(const Position& where, const Date& when);

struct Reading {
  Date date;
  double celsius;
};

class Station {
 public:
  Station(std::string name, Position position, int elevation);
  const std::string& name() const { return name_; }
  const Position& position() const { return position_; }
  int elevation() const { return elevation_; }
  const std::vector<Reading>& readings() const { return readings_; }
  void record(const Reading& reading);
  double mean_temperature() const;

 private:
  std::string name_;
  Position position_;
  int elevation_;
  std::vector<Reading> readings_;
};

class Catalogue {
 public:
  static Catalogue built_in();
  void add(std::shared_ptr<Station> station);
  std::shared_ptr<Station> find(std::string_view name) const;
  std::shared_ptr<Station> nearest(const Position& position) const;
  const std::map<std::string, std::shared_ptr<Station>, std::less<>>& stations() const { return stations_; }

 private:
  std::map<std::string, std::shared_ptr<Station>, std::less<>> stations_;
};

// Invents a year of plausible temperatures, the same for the same station every time.
void simulate_year(Station& station, int year);

void write_report(std::ostream& out, const Catalogue& catalogue, const Date& date);
std::string to_json(const Station& station);

}  // namespace almanac
