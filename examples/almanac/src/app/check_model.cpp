#include "almanac/model.hpp"
#include "check.hpp"

namespace almanac {

void check_model(Checks& checks) {
  CHECK(day_number({1970, 1, 1}) == 0 && day_number({2000, 3, 1}) == 11017);
  CHECK(to_string(date_of(19782)) == "2024-02-29" && weekday({2024, 2, 29}) == 3);
  CHECK(parse_date("2024-02-29").has_value() && !parse_date("2023-02-29").has_value());

  const Catalogue catalogue = Catalogue::built_in();
  CHECK(catalogue.stations().size() == 16 && catalogue.find("Nowhere") == nullptr);
  CHECK(catalogue.nearest({64, -22})->name() == "Reykjavik");
  CHECK(daylight_hours({0, 0}, {2024, 5, 1}) > 11.99 && daylight_hours({80, 0}, {2024, 12, 21}) == 0);

  Station station("Somewhere", {10, 20}, 0);
  simulate_year(station, 2023);
  CHECK(station.readings().size() == 365 && station.mean_temperature() > 10);
  CHECK(to_json(station).find("\"date\": \"2023-12-31\"") != std::string::npos);
}

}  // namespace almanac
