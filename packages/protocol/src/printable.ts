/**
 * Text of a peer as it may appear in a terminal or a log: well-formed, without control characters other than line feed
 * and tab (so without escape sequences), and not longer than `maxLength` UTF-16 units.
 */
export function printable(text: string, maxLength: number): string {
  return text
    .slice(0, maxLength)
    .toWellFormed()
    .replaceAll(/[^\P{Cc}\n\t]/gu, " ");
}
