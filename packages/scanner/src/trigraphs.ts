const question = 0x3f;
/** By the third character: `??=` is `#`, `??/` a backslash. */
const trigraphs = new Map(
  Object.entries({
    "=": "#",
    "/": "\\",
    "'": "^",
    "(": "[",
    ")": "]",
    "!": "|",
    "<": "{",
    ">": "}",
    "-": "~",
  }).map(([third, character]) => [third.charCodeAt(0), character.charCodeAt(0)]),
);

/** Replaces all nine trigraphs; sources without one are returned as they are. */
export function replaceTrigraphs(source: Uint8Array): Uint8Array {
  let replaced: Uint8Array | undefined;
  let written = 0;
  let copied = 0;
  for (let at = source.indexOf(question); at >= 0; at = source.indexOf(question, at + 1)) {
    if (source[at + 1] !== question) continue;
    const character = trigraphs.get(source[at + 2] ?? 0);
    if (character === undefined) continue;
    replaced ??= new Uint8Array(source.length);
    replaced.set(source.subarray(copied, at), written);
    written += at - copied;
    replaced[written] = character;
    written += 1;
    copied = at + 3;
    at += 2;
  }
  if (replaced === undefined) return source;
  replaced.set(source.subarray(copied), written);
  return replaced.subarray(0, written + source.length - copied);
}
