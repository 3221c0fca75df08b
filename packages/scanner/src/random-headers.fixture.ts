import * as fc from "fast-check";

/** Names of random headers. */
export const header = fc.constantFrom("a", "b", "c", "d", "e", "f");
const macro = fc.constantFrom("M", "N", "O");
const line = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .tuple(fc.constantFrom("<@.h>", '"@.h"', '"sub/@.h"'), header)
      .map(([form, name]) => `#include ${form.replace("@", name)}`),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(macro, fc.integer({ min: 0, max: 2 }))
      .map(([name, value]) => `#define ${name} ${value}`),
  },
  { weight: 2, arbitrary: macro.map((name) => `#undef ${name}`) },
  {
    weight: 4,
    arbitrary: fc
      .tuple(
        fc.constantFrom(
          "#ifdef @",
          "#ifndef @",
          "#if @ > 0",
          "#if @ == 1 || defined O",
          "#if __has_attribute(@)",
        ),
        macro,
      )
      .map(([text, name]) => text.replace("@", name)),
  },
  { weight: 1, arbitrary: header.map((name) => `#if __has_include(<${name}.h>)`) },
  { weight: 1, arbitrary: header.map((name) => `#include_next <${name}.h>`) },
  { weight: 1, arbitrary: header.map((name) => `#import "${name}.h"`) },
  { weight: 1, arbitrary: macro.map((name) => `#pragma push_macro("${name}")`) },
  { weight: 1, arbitrary: macro.map((name) => `#pragma pop_macro("${name}")`) },
  fc.constantFrom(
    "#pragma once",
    "#else",
    "#if __COUNTER__ % 2",
    "#define NAME <a.h>",
    "#ifdef NAME\n#include NAME\n#endif",
  ),
);
/** Conditionals are closed at the end, and files are entered three times at most. */
export const fileText = fc.array(line, { maxLength: 8 }).map((lines) => {
  const text: string[] = [];
  const open: boolean[] = [];
  for (const one of lines) {
    const last = open.length - 1;
    if (one === "#else") {
      if (open[last] !== false) continue;
      open[last] = true;
    } else if (one.startsWith("#if") && !one.includes("#endif")) open.push(false);
    text.push(one);
  }
  return [...text, ...open.map(() => "#endif"), ""].join("\n");
});
/** Most headers have a guard: else nearly all units would include themselves without end. */
export function guarded(name: string, text: string): string {
  const guard = `G${name.replaceAll(/\W/g, "_")}`;
  return `#ifndef ${guard}\n#define ${guard}\n${text}#endif\n`;
}
