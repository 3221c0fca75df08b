#include <initializer_list>

#include "almanac/matrix.hpp"

namespace almanac {

using Turn = Matrix<int, 3, 3>;

constexpr Turn about_x{{{1, 0, 0}, {0, 0, -1}, {0, 1, 0}}};
constexpr Turn about_z{{{0, -1, 0}, {1, 0, 0}, {0, 0, 1}}};

constexpr bool same(const Turn& left, const Turn& right) {
  for (int r = 0; r < 3; ++r)
    for (int c = 0; c < 3; ++c)
      if (left.cells[r][c] != right.cells[r][c]) return false;
  return true;
}

static_assert(same(power(about_x, 4), Turn::identity()));
static_assert(same(about_z * about_z.transposed(), Turn::identity()));

// How many distinct orientations quarter turns about two axes reach: a cube has 24.
int count_orientations() {
  Turn found[24] = {Turn::identity()};
  int used = 1;
  for (int i = 0; i < used; ++i) {
    for (const Turn& turn : {found[i] * about_x, found[i] * about_z}) {
      bool known = false;
      for (int k = 0; k < used; ++k) known = known || same(found[k], turn);
      if (!known) found[used++] = turn;
    }
  }
  return used;
}

}  // namespace almanac
