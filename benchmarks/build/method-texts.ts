/** Methods of the generated classes: what ordinary code does with the standard library, under changing names. */
import type { Words } from "./words.ts";

export interface MethodText {
  /** Standard headers that the definition needs. */
  readonly headers: readonly string[];
  readonly declaration: string;
  /** The class's name stands for `Self`. */
  readonly definition: string;
}

type MethodKind = (name: string, words: Words) => MethodText;

/** Methods that any class may have; each reads or fills `table_`, `weights_` and `label_`. */
export const ordinaryMethods: readonly MethodKind[] = [
  (name, words) => ({
    headers: ["algorithm", "numeric", "map"],
    declaration: `  std::size_t tally_${name}(const std::vector<std::string>& texts);\n`,
    definition: `
std::size_t Self::tally_${name}(const std::vector<std::string>& texts) {
  std::map<std::string, std::size_t> counts;
  for (const auto& text : texts) counts[text.substr(0, ${4 + words.below(9)})] += text.size() % ${3 + words.below(11)};
  for (const auto& [text, count] : counts) table_[text].push_back(static_cast<double>(count) * ${1 + words.below(99)}.5);
  return std::accumulate(counts.begin(), counts.end(), std::size_t{${words.below(100)}},
                         [](std::size_t sum, const auto& entry) { return sum + entry.second; });
}
`,
  }),
  (name, words) => ({
    headers: ["algorithm", "utility"],
    declaration: `  [[nodiscard]] std::vector<std::pair<std::string, double>> rank_${name}(std::size_t limit) const;\n`,
    definition: `
std::vector<std::pair<std::string, double>> Self::rank_${name}(std::size_t limit) const {
  std::vector<std::pair<std::string, double>> ranked;
  ranked.reserve(table_.size());
  for (const auto& [key, values] : table_) {
    double best = ${words.below(1000)}.25;
    for (const double value : values) best = std::max(best, value * ${1 + words.below(7)});
    ranked.emplace_back(key, best);
  }
  std::stable_sort(ranked.begin(), ranked.end(),
                   [](const auto& one, const auto& other) { return one.second > other.second; });
  if (ranked.size() > limit + ${words.below(4)}) ranked.resize(limit);
  return ranked;
}
`,
  }),
  (name, words) => ({
    headers: ["iomanip", "sstream"],
    declaration: `  [[nodiscard]] std::string render_${name}(int width) const;\n`,
    definition: `
std::string Self::render_${name}(int width) const {
  std::ostringstream out;
  out << std::setw(width + ${words.below(20)}) << label_ << " ${words.word()}: " << std::fixed << std::setprecision(${1 + words.below(6)});
  for (const auto& [key, values] : table_) {
    out << std::left << std::setw(${8 + words.below(24)}) << key;
    for (const double value : values) out << ' ' << value;
    out << "\\n";
  }
  return out.str();
}
`,
  }),
  (name, words) => ({
    headers: ["optional", "numeric", "string_view"],
    declaration: `  [[nodiscard]] std::optional<double> measure_${name}(std::string_view key) const;\n`,
    definition: `
std::optional<double> Self::measure_${name}(std::string_view key) const {
  const auto found = table_.find(std::string{key});
  if (found == table_.end() || found->second.empty()) return std::nullopt;
  const double norm = std::inner_product(found->second.begin(), found->second.end(), found->second.begin(), ${words.below(50)}.0);
  return norm / static_cast<double>(found->second.size() + ${1 + words.below(30)});
}
`,
  }),
  (name, words) => ({
    headers: ["variant", "charconv", "stdexcept", "string_view"],
    declaration: `  [[nodiscard]] std::variant<long, double, std::string> parse_${name}(std::string_view text) const;\n`,
    definition: `
std::variant<long, double, std::string> Self::parse_${name}(std::string_view text) const {
  if (text.size() > ${40 + words.below(200)}) throw std::length_error("${words.word()} ${words.word()}");
  long whole = ${words.below(1000)};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), whole);
  if (error == std::errc{} && end == text.data() + text.size()) return whole;
  std::variant<long, double, std::string> result{std::string{text}};
  if (const auto found = table_.find(std::string{text}); found != table_.end() && !found->second.empty())
    result = found->second.front();
  return std::visit([](auto value) -> std::variant<long, double, std::string> { return value; }, result);
}
`,
  }),
  (name, words) => ({
    headers: ["functional", "cmath"],
    declaration: `  [[nodiscard]] std::function<double(double)> curve_${name}(std::size_t order) const;\n`,
    definition: `
std::function<double(double)> Self::curve_${name}(std::size_t order) const {
  std::vector<double> factors;
  for (std::size_t at = 0; at < order; ++at)
    factors.push_back(std::sin(static_cast<double>(at) * 0.${1 + words.below(98)}) + (at < weights_.size() ? weights_[at] : ${words.below(9)}.0));
  return [factors = std::move(factors)](double x) {
    double sum = 0;
    for (auto factor = factors.rbegin(); factor != factors.rend(); ++factor) sum = sum * x + *factor;
    return sum;
  };
}
`,
  }),
  (name, words) => ({
    headers: ["queue", "set", "unordered_map"],
    declaration: `  [[nodiscard]] std::set<std::string> closure_${name}(const std::string& start) const;\n`,
    definition: `
std::set<std::string> Self::closure_${name}(const std::string& start) const {
  std::unordered_map<std::string, std::vector<std::string>> edges;
  for (const auto& [key, values] : table_)
    for (const double value : values) edges[key].push_back(label_ + std::to_string(static_cast<long>(value) % ${7 + words.below(90)}));
  std::set<std::string> seen{start};
  std::queue<std::string> open;
  for (open.push(start); !open.empty(); open.pop())
    for (const auto& next : edges[open.front()])
      if (seen.insert(next).second) open.push(next);
  return seen;
}
`,
  }),
  (name, words) => ({
    headers: ["memory", "algorithm"],
    declaration: `  struct Node_${name} {
    std::string text;
    std::vector<std::unique_ptr<Node_${name}>> children;
  };
  [[nodiscard]] std::unique_ptr<Node_${name}> build_${name}(std::size_t depth) const;\n`,
    definition: `
std::unique_ptr<Self::Node_${name}> Self::build_${name}(std::size_t depth) const {
  auto node = std::make_unique<Node_${name}>();
  node->text = label_ + "/${words.word()}/" + std::to_string(depth);
  for (std::size_t at = 0; depth > 0 && at < ${2 + words.below(3)}; ++at) node->children.push_back(build_${name}(depth - 1));
  std::sort(node->children.begin(), node->children.end(),
            [](const auto& one, const auto& other) { return one->text < other->text; });
  return node;
}
`,
  }),
  (name, words) => ({
    headers: ["queue", "tuple", "random"],
    declaration: `  [[nodiscard]] double simulate_${name}(unsigned seed, std::size_t steps);\n`,
    definition: `
double Self::simulate_${name}(unsigned seed, std::size_t steps) {
  std::mt19937 engine{seed ^ ${1 + words.below(100000)}u};
  std::exponential_distribution<double> pause{${1 + words.below(9)}.${words.below(10)}};
  using Event = std::tuple<double, std::size_t, std::string>;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events;
  events.emplace(pause(engine), 0, "${words.word()}");
  double now = 0;
  while (!events.empty()) {
    const auto [at, step, name] = events.top();
    events.pop();
    now = at;
    if (step < steps) events.emplace(at + pause(engine), step + 1, name.substr(0, ${3 + words.below(5)}));
    weights_.push_back(at);
  }
  return now;
}
`,
  }),
];

/** What makes some files of each project take several times as long as the others. */
export const heavyMethod: MethodKind = (name, words) => ({
  headers: ["future", "thread", "mutex", "chrono", "algorithm"],
  declaration: `  [[nodiscard]] double gather_${name}(std::size_t workers);\n`,
  definition: `
double Self::gather_${name}(std::size_t workers) {
  std::mutex guard;
  std::vector<std::future<double>> parts;
  for (std::size_t at = 0; at < workers; ++at)
    parts.push_back(std::async(std::launch::async, [this, at, &guard] {
      const std::lock_guard lock{guard};
      std::this_thread::sleep_for(std::chrono::microseconds{${1 + words.below(50)}});
      return at < weights_.size() ? weights_[at] : ${words.below(30)}.5;
    }));
  double sum = 0;
  for (auto& part : parts) sum += part.get();
  return sum;
}
`,
});

/** Arithmetic over plain memory: much for the optimiser, little in the object. They use `weights_` only. */
export const plainMethods: readonly MethodKind[] = [
  (name, words) => {
    const cases = Array.from({ length: 20 + words.below(60) }, (_, at) => {
      const [factor, shift] = [words.below(65_000) | 1, 1 + words.below(15)];
      return `      case ${at}: state = (state * ${factor}u) ^ (state >> ${shift}); break;\n`;
    });
    return {
      headers: ["cstdint", "cstddef"],
      declaration: `  [[nodiscard]] static std::uint32_t mix_${name}(const std::uint8_t* bytes, std::size_t size) noexcept;\n`,
      definition: `
std::uint32_t Self::mix_${name}(const std::uint8_t* bytes, std::size_t size) noexcept {
  std::uint32_t state = ${words.below(1_000_000)}u;
  for (std::size_t at = 0; at < size; ++at) {
    switch (bytes[at]) {
${cases.join("")}      default: state += bytes[at];
    }
  }
  return state;
}
`,
    };
  },
  (name, words) => {
    const order = 5 + words.below(4);
    const cells = Array.from({ length: order * order }, () => `${words.below(100)}.${words.below(1000)}`);
    const stages = Array.from({ length: 8 + words.below(16) }, () => {
      const [row, column, from] = [words.below(order), words.below(order), words.below(order)];
      return `    for (std::size_t at = 0; at < order; ++at) next[${row}][at] += cells[at][${column}] * next[${from}][at] - ${words.below(9)}.5;\n`;
    });
    return {
      headers: ["cstddef"],
      declaration: `  [[nodiscard]] double settle_${name}(std::size_t rounds) const noexcept;\n`,
      definition: `
double Self::settle_${name}(std::size_t rounds) const noexcept {
  constexpr std::size_t order = ${order};
  const double cells[order][order] = {${cells.join(", ")}};
  double next[order][order] = {};
  for (std::size_t round = 0; round < rounds; ++round) {
    next[round % order][round % ${order - 1}] += round < weights_.size() ? weights_[round] : 1.0;
${stages.join("")}  }
  double trace = 0;
  for (std::size_t at = 0; at < order; ++at) trace += next[at][at];
  return trace;
}
`,
    };
  },
  (name, words) => {
    const steps = Array.from({ length: 12 + words.below(24) }, () => {
      const [one, two, three] = [words.below(8), words.below(8), words.below(8)];
      return `    lane[${one}] = rotate(lane[${two}] + ${words.below(1_000_000)}u, ${1 + words.below(30)}) ^ lane[${three}];\n`;
    });
    return {
      headers: ["cstdint", "cstddef"],
      declaration: `  static void shuffle_${name}(std::uint32_t (&lane)[8], std::size_t rounds) noexcept;\n`,
      definition: `
void Self::shuffle_${name}(std::uint32_t (&lane)[8], std::size_t rounds) noexcept {
  const auto rotate = [](std::uint32_t value, int by) { return (value << by) | (value >> (32 - by)); };
  for (std::size_t round = 0; round < rounds; ++round) {
${steps.join("")}  }
}
`,
    };
  },
];
