#include "almanac/model.hpp"
#include "check.hpp"

#include <iostream>
#include <string_view>

int self_test() {
  almanac::Checks checks;
  almanac::check_base(checks);
  almanac::check_text(checks);
  almanac::check_numbers(checks);
  almanac::check_model(checks);
  std::cout << checks.made << " checks, " << checks.failed << " failed\n";
  return checks.failed == 0 ? 0 : 1;
}

int main(int argument_count, char** arguments) {
  const std::string_view first = argument_count > 1 ? arguments[1] : "2024-06-21";
  if (first == "--self-test") return self_test();
  const auto date = almanac::parse_date(first);
  if (!date) {
    std::cerr << "usage: almanac [--self-test | YEAR-MONTH-DAY]\n";
    return 2;
  }
  const auto catalogue = almanac::Catalogue::built_in();
  for (const auto& [name, station] : catalogue.stations()) almanac::simulate_year(*station, date->year);
  almanac::write_report(std::cout, catalogue, *date);
}
