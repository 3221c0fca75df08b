#include "almanac/model.hpp"

#include <algorithm>
#include <cmath>

namespace almanac {

namespace {

constexpr double pi = 3.14159265358979323846;
constexpr double earth_radius_km = 6371.0;
double radians(double degrees) { return degrees * pi / 180; }

}  // namespace

double distance_km(const Position& from, const Position& to) {
  const double across = std::sin(radians(to.latitude - from.latitude) / 2);
  const double along = std::sin(radians(to.longitude - from.longitude) / 2);
  const double chord =
      across * across + std::cos(radians(from.latitude)) * std::cos(radians(to.latitude)) * along * along;
  return 2 * earth_radius_km * std::asin(std::min(1.0, std::sqrt(chord)));
}

// Without refraction: from the sun's centre on the horizon to its centre on the horizon.
double daylight_hours(const Position& where, const Date& when) {
  const auto day = static_cast<double>(day_number(when) - day_number({when.year, 1, 1}));
  const double declination = radians(-23.44) * std::cos(2 * pi * (day + 10) / 365);
  const double half_arc = -std::tan(radians(where.latitude)) * std::tan(declination);
  return 24 / pi * std::acos(std::clamp(half_arc, -1.0, 1.0));
}

}  // namespace almanac
