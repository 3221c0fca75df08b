const literal = `"${"x".repeat(20_000)}"`;

/** C++ source whose compiler needs 600 MB (gcc 12) for a second, and whose object is as small as others. */
export const greedySource = `#define TEN(text) text text text text text text text text text text
#define TEXT ${literal}
unsigned long greedy = sizeof(TEN(TEN(TEN(TEN(TEXT)))));
`;
