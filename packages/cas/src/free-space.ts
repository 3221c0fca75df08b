/**
 * With less room on its disk a server starts no job and takes no file, unless its administrator says otherwise
 * (`min_free_space`).
 */
export const defaultMinFreeBytes: number = 32 << 20;
