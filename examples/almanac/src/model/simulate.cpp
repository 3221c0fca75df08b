#include "almanac/base.h"
#include "almanac/model.hpp"

#include <cmath>
#include <cstdint>

namespace almanac {

void simulate_year(Station& station, int year) {
  std::uint64_t state = al_fnv1a(station.name().data(), station.name().size()) + static_cast<std::uint64_t>(year);
  const double latitude = station.position().latitude;
  const double middle = 30 - std::abs(latitude) * 0.38 - station.elevation() * 0.0065;
  const long first = day_number({year, 1, 1}), last = day_number({year, 12, 31});
  for (long day = first; day <= last; ++day) {
    const double season = std::cos((static_cast<double>(day - first) - 200) / 365 * 6.283185307179586);
    const double weather = static_cast<double>(al_random_next(&state) % 800) / 100 - 4;
    station.record({date_of(day), middle + season * latitude / 5 + weather});
  }
}

}  // namespace almanac
