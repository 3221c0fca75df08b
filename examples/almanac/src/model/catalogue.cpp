#include "almanac/model.hpp"

#include <algorithm>

namespace almanac {

Catalogue Catalogue::built_in() {
  Catalogue catalogue;
#define STATION(name, latitude, longitude, elevation) \
  catalogue.add(std::make_shared<Station>(name, Position{latitude, longitude}, elevation));
#include "station_table.inc"
#undef STATION
  return catalogue;
}

void Catalogue::add(std::shared_ptr<Station> station) {
  const std::string name = station->name();
  stations_.insert_or_assign(name, std::move(station));
}

std::shared_ptr<Station> Catalogue::find(std::string_view name) const {
  const auto found = stations_.find(name);
  return found == stations_.end() ? nullptr : found->second;
}

std::shared_ptr<Station> Catalogue::nearest(const Position& position) const {
  const auto found = std::min_element(stations_.begin(), stations_.end(), [&](const auto& left, const auto& right) {
    return distance_km(position, left.second->position()) < distance_km(position, right.second->position());
  });
  return found == stations_.end() ? nullptr : found->second;
}

}  // namespace almanac
