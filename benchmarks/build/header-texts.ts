/** Headers of the generated project below its classes: identities, checks, and templates of containers. */
import { capitalised, type Words } from "./words.ts";

/** What is done to the header that all sources read. */
export type LedgerEdit = "comment" | "body" | "member";

/** The central header, as it is or after an edit of one line. */
export function ledgerHeader(edit?: LedgerEdit): string {
  return `#pragma once
#include <cstddef>
#include <cstdint>

namespace quarry {

// What a class has booked so far.
${edit === "comment" ? "// Nobody but its owner books.\n" : ""}class Ledger {
 public:
  void book(std::uint64_t amount) noexcept { booked_ += amount; }
  [[nodiscard]] std::size_t balance(std::size_t size) const noexcept {
    return size % ${edit === "body" ? "257 + (booked_ >> 1)" : "31 + booked_"};
  }

 private:
  std::uint64_t booked_ = 1;
${edit === "member" ? "  std::uint64_t owed_ = 0;\n" : ""}};

}  // namespace quarry
`;
}

/** A type with an order and a hash, and a few functions. */
export function baseHeader(name: string, words: Words): string {
  const type = `${capitalised(name)}Id`;
  const helpers = Array.from({ length: 3 + words.below(4) }, () => {
    const helper = `${name}_${words.word()}`;
    return `
${words.comment(2 + words.below(3))}template <typename T>
constexpr T ${helper}(T first, T second) noexcept {
  static_assert(std::is_arithmetic_v<T>, "${helper} counts");
  return static_cast<T>(first * ${3 + words.below(97)} + second / ${1 + words.below(6)});
}
`;
  }).join("");
  return `#pragma once
${words.comment(6 + words.below(10))}
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <type_traits>

namespace quarry {

${words.comment(3)}struct ${type} {
  std::uint64_t value = ${words.below(100000)};
  std::string origin = "${words.word()}";
  friend bool operator==(const ${type}& one, const ${type}& other) { return one.value == other.value && one.origin == other.origin; }
  friend bool operator!=(const ${type}& one, const ${type}& other) { return !(one == other); }
  friend bool operator<(const ${type}& one, const ${type}& other) {
    return one.value != other.value ? one.value < other.value : one.origin < other.origin;
  }
};
${helpers}
}  // namespace quarry

template <>
struct std::hash<quarry::${type}> {
  std::size_t operator()(const quarry::${type}& id) const noexcept {
    return std::hash<std::string>{}(id.origin) * ${31 + words.below(900)} + static_cast<std::size_t>(id.value);
  }
};
`;
}

/** A template that classes above instantiate with their own types. */
export function containerHeader(name: string, includes: string, words: Words): string {
  const type = capitalised(name);
  return `#pragma once
${words.comment(8 + words.below(12))}
${includes}#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

namespace quarry {

${words.comment(4)}template <typename Key, typename Value>
class ${type} {
 public:
  using Entry = std::pair<Key, Value>;
  ${type}() = default;
  ${type}(std::initializer_list<Entry> entries) {
    for (const auto& entry : entries) insert(entry.first, entry.second);
  }

${words.comment(2, "  ")}  Value& insert(const Key& key, Value value) {
    const auto at = lower(key);
    if (at != entries_.end() && !(key < at->first)) return at->second = std::move(value), at->second;
    return entries_.emplace(at, key, std::move(value))->second;
  }

${words.comment(2, "  ")}  [[nodiscard]] const Value* find(const Key& key) const {
    const auto at = std::lower_bound(entries_.begin(), entries_.end(), key,
                                     [](const Entry& entry, const Key& wanted) { return entry.first < wanted; });
    return at == entries_.end() || key < at->first ? nullptr : &at->second;
  }

  template <typename Predicate>
  std::size_t erase_if(Predicate predicate) {
    const auto rest = std::remove_if(entries_.begin(), entries_.end(), predicate);
    const auto count = static_cast<std::size_t>(entries_.end() - rest);
    entries_.erase(rest, entries_.end());
    return count;
  }

  void merge(const ${type}& other) {
    entries_.reserve(entries_.size() + other.entries_.size() + ${words.below(8)});
    for (const auto& [key, value] : other.entries_) insert(key, value);
  }

  template <typename Function>
  void for_each(Function function) const {
    for (const auto& [key, value] : entries_) function(key, value);
  }

  [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }

 private:
  auto lower(const Key& key) {
    return std::lower_bound(entries_.begin(), entries_.end(), key,
                            [](const Entry& entry, const Key& wanted) { return entry.first < wanted; });
  }

  std::vector<Entry> entries_;
};

}  // namespace quarry
`;
}
