#pragma once
// A matrix whose size is part of its type. Uses no standard header, so that it compiles everywhere in no time.

namespace almanac {

template <typename T, unsigned Rows, unsigned Columns>
struct Matrix {
  T cells[Rows][Columns];

  static constexpr Matrix zero() { return Matrix{}; }

  static constexpr Matrix identity() {
    static_assert(Rows == Columns, "only a square matrix has an identity");
    Matrix result{};
    for (unsigned i = 0; i < Rows; ++i) result.cells[i][i] = T(1);
    return result;
  }

  constexpr Matrix<T, Columns, Rows> transposed() const {
    Matrix<T, Columns, Rows> result{};
    for (unsigned r = 0; r < Rows; ++r)
      for (unsigned c = 0; c < Columns; ++c) result.cells[c][r] = cells[r][c];
    return result;
  }
};

template <typename T, unsigned N, unsigned M, unsigned K>
constexpr Matrix<T, N, K> operator*(const Matrix<T, N, M>& left, const Matrix<T, M, K>& right) {
  Matrix<T, N, K> result{};
  for (unsigned i = 0; i < N; ++i)
    for (unsigned k = 0; k < K; ++k)
      for (unsigned j = 0; j < M; ++j) result.cells[i][k] += left.cells[i][j] * right.cells[j][k];
  return result;
}

template <typename T, unsigned N>
constexpr Matrix<T, N, N> power(Matrix<T, N, N> base, unsigned exponent) {
  auto result = Matrix<T, N, N>::identity();
  for (; exponent > 0; exponent /= 2) {
    if (exponent % 2 == 1) result = result * base;
    base = base * base;
  }
  return result;
}

}  // namespace almanac
