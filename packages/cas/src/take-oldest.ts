/**
 * Takes the oldest out of a map that has more than `maxSize`, and gives them: with the first too many a sixteenth of all,
 * because each look for the oldest steps over the places of those that went before: 90 µs in a map of 32,768.
 */
export function takeOldest<K, V>(map: Map<K, V>, maxSize: number): V[] {
  if (map.size <= maxSize) return [];
  const taken: V[] = [];
  const left = maxSize - (maxSize >> 4);
  for (const [key, value] of map) {
    map.delete(key);
    taken.push(value);
    if (map.size <= left) break;
  }
  return taken;
}
