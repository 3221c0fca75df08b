#pragma once

namespace almanac {

// Counts what failed and prints where; `CHECK` works inside any function that has a `Checks& checks`.
struct Checks {
  int made = 0, failed = 0;
  void operator()(bool holds, const char* what, const char* file, int line);
};

void check_base(Checks& checks);
void check_text(Checks& checks);
void check_numbers(Checks& checks);
void check_model(Checks& checks);

}  // namespace almanac

#define CHECK(condition) checks((condition), #condition, __FILE__, __LINE__)
