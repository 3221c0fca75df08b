#include "almanac/model.hpp"
#include "almanac/text.hpp"

namespace almanac {

std::string to_json(const Station& station) {
  JsonWriter json;
  json.begin_object();
  json.key("name").value(station.name());
  json.key("position").begin_array().value(station.position().latitude).value(station.position().longitude);
  json.end_array();
  json.key("elevation").value(station.elevation());
  json.key("readings").begin_array();
  for (const auto& reading : station.readings()) {
    json.begin_object().key("date").value(to_string(reading.date));
    json.key("celsius").value(reading.celsius).end_object();
  }
  json.end_array().end_object();
  return json.text();
}

}  // namespace almanac
