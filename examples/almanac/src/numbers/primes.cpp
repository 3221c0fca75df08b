#include "almanac/numbers.hpp"

namespace almanac {

std::vector<std::uint32_t> primes_below(std::uint32_t limit) {
  std::vector<bool> composite(limit);
  std::vector<std::uint32_t> primes;
  for (std::uint32_t candidate = 2; candidate < limit; ++candidate) {
    if (composite[candidate]) continue;
    primes.push_back(candidate);
    for (std::uint64_t multiple = std::uint64_t{candidate} * candidate; multiple < limit; multiple += candidate)
      composite[multiple] = true;
  }
  return primes;
}

}  // namespace almanac
