// What a net's outputs say, by its task.

export function softmax(logits) {
  const most = Math.max(...logits);
  const exps = Array.from(logits, (x) => Math.exp(x - most));
  const sum = exps.reduce((a, b) => a + b, 0);
  return exps.map((x) => x / sum);
}

const sigmoid = (x) => 1 / (1 + Math.exp(-x));
const percent = (p) => `${(100 * p).toFixed(1)} %`;
const byValue = (a, b) => b.value - a.value;
const named = (classes, values, noun) =>
  Array.from(values, (value, i) => ({ name: classes[i] ?? `${noun} ${i}`, value, share: value, text: percent(value) }));

/** Rows of classes and their probabilities, the likeliest first. */
export const likeliest = (classes, chances) => named(classes, chances, "class").sort(byValue);

/** What outputs of a task say: rows of {name, value, share of the bar, text}, the first one first. */
export const ANSWERS = {
  classification: (logits, { classes }) => likeliest(classes, softmax(logits)),
  binary([logit], { classes, task }) {
    const p = sigmoid(logit);
    const rows = named(classes, [1 - p, p], "class");
    return p >= (task.threshold ?? 0.5) ? rows.reverse() : rows;
  },
  multilabel(logits, { classes, task }) {
    const rows = named(classes, Array.from(logits, sigmoid), "label");
    const least = task.thresholds;
    rows.forEach((row, i) => Object.assign(row, { text: `${row.value >= (least[i] ?? 0.5) ? "✓ " : ""}${row.text}` }));
    return rows.sort(byValue);
  },
  regression: (numbers, { classes, task }) =>
    Array.from(numbers, (value, i) => ({
      name: classes[i] ?? `number ${i}`, value, share: 0, text: `${fourDigits(value)} ${task.units[i] ?? ""}`.trim(),
    })),
  segmentation(logits, { classes, outputs: [count] }) {
    const winners = maskOf(logits, count);
    const shares = Array(count).fill(0);
    winners.forEach((k) => { shares[k] += 1 / winners.length; });
    const rows = named(classes, shares, "class");
    rows.forEach((row, k) => Object.assign(row, { colour: colourOf(k) }));
    return rows.sort(byValue);
  },
};

/** Four significant digits; of larger numbers all before the point, as `cnndsl run` prints them. */
const fourDigits = (value) => Number(Math.abs(value) < 1e4 ? value.toPrecision(4) : value.toFixed(0));

/** The class of each pixel. */
export function maskOf(logits, count) {
  const pixels = logits.length / count;
  return Uint8Array.from({ length: pixels }, (_, i) => {
    let best = 0;
    for (let k = 1; k < count; k++) if (logits[k * pixels + i] > logits[best * pixels + i]) best = k;
    return best;
  });
}

/** The colour of a class, as masks of `cnndsl run` have it: the bits of its number, spread (PASCAL VOC). */
export const colourOf = (k) => [0, 1, 2].map((c) => [0, 1, 2].reduce((sum, i) => sum | (((k >> (3 * i + c)) & 1) << (7 - i)), 0));
