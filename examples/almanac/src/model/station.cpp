#include "almanac/model.hpp"
#include "almanac/numbers.hpp"

#include <utility>

namespace almanac {

Station::Station(std::string name, Position position, int elevation)
    : name_(std::move(name)), position_(position), elevation_(elevation) {}

void Station::record(const Reading& reading) { readings_.push_back(reading); }

double Station::mean_temperature() const {
  std::vector<double> values;
  values.reserve(readings_.size());
  for (const auto& reading : readings_) values.push_back(reading.celsius);
  return mean(values);
}

}  // namespace almanac
