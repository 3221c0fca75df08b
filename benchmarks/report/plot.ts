/** Lines over categories, as SVG: what the results need and no more. */
export interface Plot {
  readonly title: string;
  /** Of the vertical axis, which is logarithmic. */
  readonly unit: string;
  readonly categories: readonly string[];
  readonly axis: string;
  readonly lines: readonly PlotLine[];
}

export interface PlotLine {
  readonly name: string;
  readonly colour: string;
  readonly isDashed?: boolean;
  /** One for each category; `undefined` leaves a gap. All above 0. */
  readonly values: readonly (number | undefined)[];
}

const [width, height] = [760, 420];
const frame = { left: 70, right: 170, top: 50, bottom: 60 };

export function renderPlot(plot: Plot): string {
  const values = plot.lines.flatMap((line) => line.values.filter((value) => value !== undefined));
  const low = Math.floor(Math.log10(Math.min(...values)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...values))));
  const x = (index: number): number =>
    frame.left + ((width - frame.left - frame.right) * (index + 0.5)) / plot.categories.length;
  const y = (value: number): number =>
    height - frame.bottom - ((height - frame.top - frame.bottom) * (Math.log10(value) - low)) / (high - low);
  const grid = gridValues(low, high).map(
    (value) =>
      `<line x1="${frame.left}" x2="${width - frame.right}" y1="${round(y(value))}" y2="${round(y(value))}" stroke="#ddd"/>` +
      `<text x="${frame.left - 8}" y="${round(y(value) + 4)}" text-anchor="end">${value}</text>`,
  );
  const categories = plot.categories.map(
    (name, index) =>
      `<text x="${round(x(index))}" y="${height - frame.bottom + 20}" text-anchor="middle">${escape(name)}</text>`,
  );
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    `<text x="${frame.left}" y="24" font-size="16">${escape(plot.title)}</text>`,
    `<text x="${frame.left}" y="42" fill="#555">${escape(plot.unit)}</text>`,
    ...grid,
    ...categories,
    `<text x="${round((frame.left + width - frame.right) / 2)}" y="${height - 16}" text-anchor="middle" fill="#555">${escape(plot.axis)}</text>`,
    ...plot.lines.map((line) => renderLine(line, x, y)),
    ...legend(plot.lines),
    "</svg>",
  ].join("\n")}\n`;
}

function renderLine(line: PlotLine, x: (index: number) => number, y: (value: number) => number): string {
  const points = line.values.flatMap((value, index) =>
    value === undefined ? [] : [{ x: round(x(index)), y: round(y(value)), value }],
  );
  const path = points.map((point) => `${point.x},${point.y}`).join(" ");
  const dashes = line.isDashed === true ? ' stroke-dasharray="6 4"' : "";
  const marks = points.map((point) => {
    const label = `${line.name}: ${point.value}`;
    return `<circle cx="${point.x}" cy="${point.y}" r="3" fill="${line.colour}"><title>${escape(label)}</title></circle>`;
  });
  return `<polyline points="${path}" fill="none" stroke="${line.colour}" stroke-width="2"${dashes}/>${marks.join("")}`;
}

function legend(lines: readonly PlotLine[]): string[] {
  const left = width - frame.right + 14;
  return lines.map((line, index) => {
    const top = frame.top + 10 + index * 20;
    const dashes = line.isDashed === true ? ' stroke-dasharray="6 4"' : "";
    return (
      `<line x1="${left}" x2="${left + 24}" y1="${top}" y2="${top}" stroke="${line.colour}" stroke-width="2"${dashes}/>` +
      `<text x="${left + 30}" y="${top + 4}">${escape(line.name)}</text>`
    );
  });
}

/** 1, 2 and 5 of each power of ten. */
function gridValues(low: number, high: number): number[] {
  const values: number[] = [];
  for (let power = low; power <= high; power += 1)
    for (const step of [1, 2, 5]) {
      const value = Number((step * 10 ** power).toPrecision(1));
      if (value <= 10 ** high) values.push(value);
    }
  return values;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
