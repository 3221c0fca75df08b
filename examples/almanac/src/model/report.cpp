#include "almanac/model.hpp"
#include "almanac/text.hpp"
#include "build_config.h"

#include <cmath>
#include <iomanip>
#include <ostream>
#include <sstream>

namespace almanac {

namespace {

template <typename Number>
std::string fixed(Number value, int digits) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(digits) << value;
  return text.str();
}

}  // namespace

void write_report(std::ostream& out, const Catalogue& catalogue, const Date& date) {
  Table table{"station", "elevation", "daylight", "mean of the year"};
  for (const auto& [name, station] : catalogue.stations()) {
    table.row({name, group_digits(station->elevation(), ' ') + " m",
               fixed(daylight_hours(station->position(), date), 1) + " h",
               fixed(station->mean_temperature(), 1) + " C"});
  }
  out << "almanac " << ALMANAC_VERSION << ", " << to_string(date) << '\n'
      << std::string(ALMANAC_TABLE_WIDTH, '-') << '\n'
      << table.text();
}

}  // namespace almanac
