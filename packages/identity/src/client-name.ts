/** Names of paired clients: they end up in logs, tables, file names and command lines. */
export const clientNameAllowed =
  "1 to 64 letters, digits, '-', '_', '.' and '@', with a letter or a digit first";

export function isClientName(text: string): boolean {
  return /^[A-Za-z0-9][\w.@-]{0,63}$/.test(text);
}
