// The page of `cnndsl compile --web`: no build step. `model.json` says what the files beside it are.

const $ = (selector, root = document) => root.querySelector(selector);

/** What a person can mend: shown as it is. */
class Problem extends Error {}

function make(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

function show(node, text) {
  node.textContent = text;
  node.hidden = !text;
}

async function fetched(name) {
  const answer = await fetch(name);
  if (!answer.ok) throw new Problem(`${name} cannot be loaded (${answer.status}): is the folder whole?`);
  return answer;
}

// onnxruntime-web

/** Its program for each provider. */
const PROGRAMS = { wasm: "ort-wasm-simd-threaded.wasm", webgpu: "ort-wasm-simd-threaded.asyncify.wasm" };

/** Operators of ours that onnxruntime-web has no WebGPU kernel for: these run on the CPU. */
const ON_CPU = new Set(
  "And Identity IsInf IsNaN LRN LogSoftmax Max Min OneHot Or PRelu Selu Sign Softplus Sum".split(" ")
);

/** `webgpu` where there is a graphics processor, else `wasm`; `?provider=` in the address decides. */
async function chosenProvider() {
  const wanted = new URLSearchParams(location.search).get("provider");
  if (wanted === "wasm" || !navigator.gpu) return "wasm";
  const adapter = await navigator.gpu.requestAdapter().catch(() => null);
  const isReal = adapter && !(adapter.info?.isFallbackAdapter ?? adapter.isFallbackAdapter);
  return isReal || (adapter && wanted === "webgpu") ? "webgpu" : "wasm";
}

/** onnxruntime-web and where it computes. */
class Runtime {
  static async open(address) {
    if (typeof WebAssembly !== "object") {
      throw new Problem("WebAssembly is switched off in this browser. The net needs it: switch it on, or take another browser.");
    }
    const base = new URL(address, location.href).href;
    const provider = await chosenProvider();
    const ort = await import(`${base}ort.${provider}.bundle.min.mjs`).catch(() => {
      throw new Problem(`onnxruntime-web cannot be loaded from ${base}. Are you online? A page made with --runtime FOLDER needs no network.`);
    });
    ort.env.wasm.wasmPaths = { wasm: base + PROGRAMS[provider] };
    ort.env.logLevel = "error";
    return Object.assign(new Runtime(), { ort, provider, queue: Promise.resolve() });
  }

  /** A session of a file beside the page; on WebAssembly where WebGPU cannot take it.
   * On WebGPU, outputs that `stay` are left there for the next run. */
  async session(name, { provider = this.provider, stay = [] } = {}) {
    const bytes = new Uint8Array(await (await fetched(name)).arrayBuffer());
    const gpu = Object.fromEntries(stay.map((output) => [output, "gpu-buffer"]));
    const create = (where) => this.ort.InferenceSession.create(bytes, {
      executionProviders: [where],
      logSeverityLevel: 3,
      ...(where === "webgpu" && stay.length ? { preferredOutputLocation: gpu } : {}),
    });
    try {
      return await create(provider);
    } catch (error) {
      if (provider === "wasm") throw new Problem(`${name} cannot be opened: ${error.message}`);
      this.provider = "wasm";
      return create("wasm");
    }
  }

  tensor(type, data, shape) {
    return new this.ort.Tensor(type, data, shape);
  }

  /** The outputs of a session, one run at a time. */
  run(session, feeds) {
    const outputs = this.queue.then(() => session.run(feeds));
    this.queue = outputs.catch(() => {});
    return outputs;
  }

  /** Where graphs with these operators run, in words. */
  told(operators) {
    if (this.provider === "wasm") return "The net runs in this browser, by WebAssembly.";
    const rest = operators.filter((name) => ON_CPU.has(name));
    return `The net runs in this browser, by WebGPU${rest.length ? `; on the processor: ${rest.join(", ")}` : ""}.`;
  }
}

// Images: as `cnndsl run` prepares them, bit for bit (pillow's resampling in whole numbers)

const MOST_PIXELS = 64_000_000;

/** An image file's pixels: {width, height, data: RGBA}, upright, on white. */
async function pixelsOfFile(file) {
  const options = { imageOrientation: "from-image", colorSpaceConversion: "none" };
  const bitmap = await createImageBitmap(file, options).catch(() => {
    throw new Problem(`${file.name || "This"} is no picture that the browser can read. PNG, JPEG, GIF, WebP and BMP are.`);
  });
  if (bitmap.width * bitmap.height > MOST_PIXELS) throw new Problem(`${file.name} has more than 64 million pixels.`);
  return pixelsOf(bitmap, bitmap.width, bitmap.height);
}

function pixelsOf(source, width, height) {
  const context = make("canvas", { width, height }).getContext("2d", { willReadFrequently: true });
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  context.drawImage(source, 0, 0);
  return context.getImageData(0, 0, width, height);
}

/** Pixels without alpha, as gray or RGB. */
function inChannels({ width, height, data }, channels) {
  const out = new Uint8Array(width * height * channels);
  for (let i = 0, o = 0; i < data.length; i += 4) {
    const [r, g, b] = [data[i], data[i + 1], data[i + 2]];
    if (channels === 1) out[o++] = (r * 19595 + g * 38470 + b * 7471 + 32768) >> 16;
    else { out[o++] = r; out[o++] = g; out[o++] = b; }
  }
  return { width, height, channels, data: out };
}

const FILTERS = {
  bilinear: { reach: 1, at: (x) => Math.max(0, 1 - Math.abs(x)) },
  bicubic: {
    reach: 2,
    at(x) {
      const d = Math.abs(x);
      if (d < 1) return (1.5 * d - 2.5) * d * d + 1;
      return d < 2 ? ((-0.5 * d + 2.5) * d - 4) * d + 2 : 0;
    },
  },
};
const ONE = 2 ** 22; // a weight of 1, as a whole number

/** For each of `count` outputs over [start, end): the first input and the weights from there on. */
function windows(size, start, end, count, filter) {
  const scale = (end - start) / count;
  const stretch = Math.max(scale, 1);
  return Array.from({ length: count }, (_, i) => {
    const centre = start + (i + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - filter.reach * stretch + 0.5));
    const last = Math.min(size, Math.trunc(centre + filter.reach * stretch + 0.5));
    const raw = Array.from({ length: last - first }, (_, k) => filter.at((k + first - centre + 0.5) / stretch));
    const sum = raw.reduce((a, b) => a + b, 0);
    return { first, weights: raw.map((w) => Math.trunc((w / sum) * ONE + (w < 0 ? -0.5 : 0.5))) };
  });
}

const clipped = (sum) => Math.min(255, Math.max(0, Math.floor((sum + ONE / 2) / ONE)));

/** The lines of an image, of `step` bytes from pixel to pixel, resampled along one axis. */
function resampled(data, out, lines, line, step, newLine, newStep, channels, spans) {
  for (let l = 0; l < lines; l++) {
    spans.forEach(({ first, weights }, i) => {
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        let at = l * line + first * step + c;
        for (let k = 0; k < weights.length; k++, at += step) sum += data[at] * weights[k];
        out[l * newLine + i * newStep + c] = clipped(sum);
      }
    });
  }
  return out;
}

/** The box [left, top, right, bottom] of an image, scaled to a size, antialiased. */
function resized(image, width, height, box, filterName) {
  const [left, top, right, bottom] = box.map(Math.fround);
  const filter = FILTERS[filterName];
  const n = image.channels;
  let { data } = image;
  if (width !== image.width || left !== 0 || right !== width) {
    const spans = windows(image.width, left, right, width, filter);
    const out = new Uint8Array(image.height * width * n);
    data = resampled(data, out, image.height, image.width * n, n, width * n, n, n, spans);
  }
  if (height !== image.height || top !== 0 || bottom !== height) {
    const spans = windows(image.height, top, bottom, height, filter);
    const out = new Uint8Array(height * width * n);
    data = resampled(data, out, width, n, width * n, n, width * n, n, spans);
  }
  return { width, height, channels: n, data };
}

/** The box in the middle that has the shape of a size and is as large as can be. */
function middle(image, width, height) {
  const scale = Math.max(width / image.width, height / image.height);
  const [w, h] = [Math.min(width / scale, image.width), Math.min(height / scale, image.height)];
  const [left, top] = [(image.width - w) / 2, (image.height - h) / 2];
  return [left, top, left + w, top + h];
}

/** To the nearest whole number, halves to the even one. */
function rounded(x) {
  const low = Math.floor(x);
  return x - low === 0.5 ? low + (low % 2) : Math.round(x);
}

/** The shorter side scaled to the net's over `crop`, and the middle cut out. */
function cropped(image, width, height, crop, filterName) {
  const short = rounded(Math.min(width, height) / crop);
  const size = image.width <= image.height
    ? [short, Math.trunc((short * image.height) / image.width)]
    : [Math.trunc((short * image.width) / image.height), short];
  const scaled = resized(image, ...size, [0, 0, image.width, image.height], filterName);
  const [left, top] = [rounded((size[0] - width) / 2), rounded((size[1] - height) / 2)];
  const data = new Uint8Array(width * height * image.channels);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width * image.channels; x++) {
      const at = x + left * image.channels;
      const isInside = at >= 0 && at < size[0] * image.channels && y + top >= 0 && y + top < size[1];
      if (isInside) data[y * width * image.channels + x] = scaled.data[(y + top) * size[0] * image.channels + at];
    }
  }
  return { width, height, channels: image.channels, data };
}

/** Pixels of any size as the net sees them. */
function framed(pixels, { input: [channels, height, width], crop, resample }) {
  const image = inChannels(pixels, channels);
  if (crop) return cropped(image, width, height, crop, resample);
  return resized(image, width, height, middle(image, width, height), "bilinear");
}

/** Images of the net's size as its input: N×C×H×W, less mean, over std. */
function normalised(images, { input: [channels, height, width], mean, std }) {
  const out = new Float32Array(images.length * channels * height * width);
  const of = (numbers, c) => Math.fround(numbers[numbers.length > 1 ? c : 0]);
  let o = 0;
  for (const { data } of images) {
    for (let c = 0; c < channels; c++) {
      const [m, s] = [of(mean, c), of(std, c)];
      for (let i = c; i < data.length; i += channels) out[o++] = Math.fround(Math.fround(data[i] / 255) - m) / s;
    }
  }
  return out;
}

// Answers

function softmax(logits) {
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

/** What outputs of a task say: rows of {name, value, share of the bar, text}, the first one first. */
const ANSWERS = {
  classification: (logits, { classes }) => named(classes, softmax(logits), "class").sort(byValue),
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
      name: classes[i] ?? `number ${i}`, value, share: 0, text: `${Number(value.toPrecision(6))} ${task.units[i] ?? ""}`.trim(),
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

/** The class of each pixel. */
function maskOf(logits, count) {
  const pixels = logits.length / count;
  return Uint8Array.from({ length: pixels }, (_, i) => {
    let best = 0;
    for (let k = 1; k < count; k++) if (logits[k * pixels + i] > logits[best * pixels + i]) best = k;
    return best;
  });
}

/** The colour of a class, as masks of `cnndsl run` have it: the bits of its number, spread (PASCAL VOC). */
const colourOf = (k) => [0, 1, 2].map((c) => [0, 1, 2].reduce((sum, i) => sum | (((k >> (3 * i + c)) & 1) << (7 - i)), 0));

const SHOWN = 6;

function showAnswers(list, rows) {
  list.replaceChildren(...rows.slice(0, SHOWN).map(({ name, value, share, text, colour }) => {
    const row = make("li", {}, make("span", { className: "name", textContent: name }), make("span", { className: "value", textContent: text }));
    row.style.setProperty("--share", share);
    if (colour) row.style.borderLeft = `0.6rem solid rgb(${colour})`;
    row.dataset.value = value;
    return row;
  }));
}

/** An image of the net's size on a canvas, a mask's colours over it where there is one. */
function drawn(canvas, { width, height, channels, data }, mask) {
  const image = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    const colour = mask?.[i] ? colourOf(mask[i]) : null;
    for (let c = 0; c < 3; c++) {
      const value = data[i * channels + (channels === 1 ? 0 : c)];
      image.data[4 * i + c] = colour ? (value + colour[c]) / 2 : value;
    }
    image.data[4 * i + 3] = 255;
  }
  Object.assign(canvas, { width, height }).getContext("2d").putImageData(image, 0, 0);
}

// Pictures from a person: dropped, chosen, pasted, or of the camera

/** Calls `take` with the image files that are dropped on, or chosen by, a label. */
function onFiles(label, take) {
  const input = $("input", label);
  const over = (isOver) => (event) => {
    event.preventDefault();
    label.classList.toggle("over", isOver);
  };
  label.addEventListener("dragover", over(true));
  label.addEventListener("dragleave", over(false));
  label.addEventListener("drop", (event) => {
    over(false)(event);
    take([...event.dataTransfer.files]);
  });
  input.addEventListener("change", () => {
    take([...input.files]);
    input.value = "";
  });
}

/** The camera behind a button, which starts and stops it: `take` gets a picture after each `pause`. */
class Camera {
  constructor(button, told, take, pause) {
    Object.assign(this, { button, told, take, pause, video: null });
    this.stop();
  }

  async toggle() {
    if (this.video) return this.stop();
    const video = (this.video = await filming());
    this.button.textContent = this.told.stop;
    while (this.video === video) {
      await this.take(pixelsOf(video, video.videoWidth, video.videoHeight));
      await this.pause();
    }
  }

  stop() {
    this.video?.srcObject.getTracks().forEach((track) => track.stop());
    this.video = null;
    this.button.textContent = this.told.start;
  }
}

/** What the camera shows, as a video that plays. */
async function filming() {
  if (!navigator.mediaDevices) throw new Problem("The camera works on https:// and http://localhost only.");
  const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } }).catch((error) => {
    throw new Problem(error.name === "NotAllowedError"
      ? "The camera is not allowed here. Allow it in the browser's settings of this page, or drop a picture."
      : "No camera was found. Drop a picture, or choose one.");
  });
  const video = make("video", { srcObject: stream, muted: true, playsInline: true });
  await video.play();
  return video;
}

/** Runs what may meet a Problem, and shows it. */
async function guarded(place, work) {
  show(place, "");
  try {
    await work();
  } catch (error) {
    if (!(error instanceof Problem)) console.error(error);
    show(place, error instanceof Problem ? error.message : `Something went wrong: ${error.message}`);
  }
}

// The section that answers

/** `answer(image)` gives rows and, of a segmentation, a mask; null as long as nothing is known. */
class Classify {
  constructor(settings, answer) {
    Object.assign(this, { settings, answer, root: $("#classify"), canvas: make("canvas") });
    this.root.hidden = !answer;
    this.problem = $(".problem", this.root);
    $(".stage", this.root).prepend(this.canvas);
    onFiles($(".drop", this.root), (files) => this.files(files));
    addEventListener("paste", ({ clipboardData: { files } }) => this.answer && files.length && this.files([...files]));
    const told = { start: "Use the camera", stop: "Stop the camera" };
    const pause = () => new Promise(requestAnimationFrame);
    this.camera = new Camera($(".camera", this.root), told, (pixels) => this.show(pixels), pause);
    this.camera.button.addEventListener("click", () => guarded(this.problem, () => this.camera.toggle()));
  }

  /** Answers anew, of the same picture if there is one. */
  learned(answer) {
    this.answer = answer;
    this.root.hidden = false;
    if (this.pixels) guarded(this.problem, () => this.show(this.pixels));
  }

  files([file]) {
    this.camera.stop();
    return file && guarded(this.problem, async () => this.show(await pixelsOfFile(file)));
  }

  async show(pixels) {
    this.pixels = pixels;
    const image = framed(pixels, this.settings);
    const { rows, mask } = await this.answer(image);
    drawn(this.canvas, image, mask);
    $(".stage", this.root).hidden = false;
    showAnswers($(".answers", this.root), rows);
  }
}

/** The compiled model as `answer`. */
async function compiled(runtime, settings) {
  const { model } = settings;
  const session = await runtime.session(model.file);
  return async (image) => {
    const x = runtime.tensor("float32", normalised([image], settings), [1, ...settings.input]);
    const outputs = (await runtime.run(session, { [session.inputNames[0]]: x }))[model.output].data;
    const isMap = model.task.task === "segmentation";
    return { rows: ANSWERS[model.task.task](outputs, model), mask: isMap && maskOf(outputs, model.outputs[0]) };
  };
}

// Weights: safetensors, and the layouts in which a step keeps them

const size = (shape) => shape.reduce((a, b) => a * b, 1);

/** Tensors of a safetensors file: {name: {shape, data}}, float32. */
function unpackedFile(buffer) {
  const length = Number(new DataView(buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
  delete header.__metadata__;
  return Object.fromEntries(Object.entries(header).map(([name, { shape, data_offsets: [start, end] }]) =>
    [name, { shape, data: new Float32Array(buffer.slice(8 + length + start, 8 + length + end)) }]));
}

/** A safetensors file of tensors, with what cnndsl keeps of a model: preprocessing and classes. */
async function packedFile(tensors, info) {
  const names = Object.keys(tensors).sort();
  const header = { __metadata__: await signature(tensors, names, JSON.stringify(info)) };
  let at = 0;
  for (const name of names) {
    const { shape, data } = tensors[name];
    header[name] = { dtype: "F32", shape, data_offsets: [at, (at += data.byteLength)] };
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const length = new DataView(new ArrayBuffer(8));
  length.setBigUint64(0, BigInt(text.length), true);
  return new Blob([length, text, ...names.map((name) => tensors[name].data)]);
}

/** The entry by which `cnndsl` knows a file of its own: a hash of all, and the info. */
async function signature(tensors, names, info) {
  if (!crypto.subtle) return {}; // of a page that is not https:// or localhost
  const parts = [info];
  for (const name of names) {
    const { shape, data } = tensors[name];
    parts.push(`${name} <f4 (${shape.join(", ")}${shape.length === 1 ? "," : ""})\n`, data);
  }
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", await new Blob(parts).arrayBuffer()));
  const digits = Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return { cnndsl: `cnndsl sha256 ${digits} normalisation ${info}` };
}

/** An array of these dimensions with its axes in another order. */
function transposed(data, dims, order) {
  const strides = dims.map((_, i) => size(dims.slice(i + 1)));
  const out = new data.constructor(data.length);
  const [ends, steps] = [order.map((i) => dims[i]), order.map((i) => strides[i])];
  const at = order.map(() => 0);
  for (let o = 0, from = 0; o < out.length; o++) {
    out[o] = data[from];
    for (let axis = at.length - 1; axis >= 0; axis--) {
      from += steps[axis];
      if (++at[axis] < ends[axis]) break;
      from -= steps[axis] * ends[axis];
      at[axis] = 0;
    }
  }
  return out;
}

const toPacked = (data, { split, perm }) => transposed(data, split, perm);
const fromPacked = (data, { split, perm }) =>
  transposed(data, perm.map((i) => split[i]), split.map((_, i) => perm.indexOf(i)));

// Learning

/** Numbers 0…count−1 in random order, again and again: batches go on over the end of a pass. */
function* shuffled(count) {
  for (;;) {
    const order = Array.from({ length: count }, (_, i) => i);
    for (let i = count - 1; i > 0; i--) {
      const j = Math.floor(Math.random() * (i + 1));
      [order[i], order[j]] = [order[j], order[i]];
    }
    yield* order;
  }
}

/** Lets the page answer its person, at most every 30 ms. */
async function breathe() {
  if (performance.now() - breathe.last < 30) return;
  await new Promise((resolve) => setTimeout(resolve));
  breathe.last = performance.now();
}
breathe.last = 0;

/** A net, or its head, that learns by running a step's graph: state goes in and comes out. */
class Learner {
  /** For images of some classes, at its start. */
  static async open(runtime, settings, classes) {
    const { learn } = settings;
    const lesson = learn.lessons[classes.length];
    const provider = learn.body ? "wasm" : runtime.provider; // a head is too small for WebGPU
    const stay = ["step", ...stateOf(lesson).map(({ name }) => name)].map((name) => `${name}.new`);
    const fresh = unpackedFile(await (await fetched("fresh.safetensors")).arrayBuffer());
    const step = await runtime.session(`step-${classes.length}.onnx`, { provider, stay });
    const answer = await runtime.session("answer.onnx", { provider });
    const learner = Object.assign(new Learner(), { runtime, settings, learn, lesson, classes, fresh, step, answer });
    learner.state = learner.start();
    return learner;
  }

  /** Every state tensor of the step: fresh weights, zeros beside them. */
  start() {
    const { runtime, lesson, fresh } = this;
    const state = { step: runtime.tensor("float32", [0], []) };
    for (const { name, of, layout } of stateOf(lesson)) {
      const count = size(layout.shape); // of a head for more classes, the first rows
      const data = name === of ? toPacked(fresh[of].data.subarray(0, count), layout) : new Float32Array(count);
      state[name] = runtime.tensor("float32", data, layout.packed);
    }
    return state;
  }

  /** A step on examples {x, y}; the loss and the number of right answers before it. */
  async learnFrom(examples, rate) {
    const { runtime, learn, lesson } = this;
    const x = new Float32Array(examples.length * size(learn.input));
    examples.forEach((example, i) => x.set(example.x, i * size(learn.input)));
    const feeds = {
      x: runtime.tensor("float32", x, [examples.length, ...learn.input]),
      y: runtime.tensor("int64", BigInt64Array.from(examples, ({ y }) => BigInt(y)), [examples.length]),
      lr: runtime.tensor("float32", [rate], []),
      ...this.state,
    };
    for (const [name, shape] of Object.entries(lesson.randoms)) {
      feeds[name] = runtime.tensor("float32", Float32Array.from({ length: size(shape) }, Math.random), shape);
    }
    const { loss, correct, ...news } = await runtime.run(this.step, feeds);
    Object.values(this.state).forEach((tensor) => tensor.dispose());
    this.state = Object.fromEntries(Object.entries(news).map(([name, tensor]) => [name.replace(/\.new$/, ""), tensor]));
    return { loss: loss.data[0], correct: correct.data[0] };
  }

  /** The weights as files have them: {name: {shape, data}}. */
  async weights() {
    const tensors = {};
    for (const [name, layout] of Object.entries(this.lesson.state)) {
      tensors[name] = { shape: layout.shape, data: fromPacked(await this.state[name].getData(), layout) };
    }
    return tensors;
  }

  /** Keeps the weights as they are now for `probabilities`. */
  async settle() {
    this.settled = {};
    for (const [name, { shape, data }] of Object.entries(await this.weights())) {
      const whole = new Float32Array(size(this.fresh[name].shape)); // the graph's, for the most classes
      whole.set(data);
      this.settled[name] = this.runtime.tensor("float32", whole, this.fresh[name].shape);
    }
    return this;
  }

  /** Of an example's input, one a class. */
  async probabilities(x) {
    const input = this.runtime.tensor("float32", x, [1, ...this.learn.input]);
    const outputs = await this.runtime.run(this.answer, { input, ...this.settled });
    return softmax(outputs[this.learn.output].data.subarray(0, this.classes.length));
  }
}

/** The state tensors of a lesson: weights, and what the optimizer keeps beside them. */
function stateOf({ state }) {
  return Object.entries(state).flatMap(([of, layout]) =>
    [of, ...layout.slots.map((slot) => `${of}.${slot}`)].map((name) => ({ name, of, layout })));
}

/** A class of the person's: a name and pictures, each prepared for the net. */
class Box {
  constructor(section, title) {
    Object.assign(this, { section, pictures: [], root: make("fieldset", { className: "box" }) });
    this.title = make("input", { type: "text", value: title, ariaLabel: "Name of the class", maxLength: 60 });
    this.label = make("label", { className: "drop" }, make("span", {}, "Drop pictures, or ", make("b", { textContent: "choose" })),
      make("input", { type: "file", accept: "image/*", multiple: true }));
    this.record = make("button", { type: "button" });
    const pause = () => new Promise((resolve) => setTimeout(resolve, 250)); // four pictures a second
    this.camera = new Camera(this.record, { start: "Camera", stop: "Stop" }, (pixels) => this.add(pixels), pause);
    this.remove = make("button", { type: "button", className: "quiet", textContent: "Remove class" });
    this.thumbs = make("div", { className: "thumbs" });
    this.count = make("span", { className: "hint" });
    this.root.append(this.title, this.label, make("p", { className: "row" }, this.record, this.count, this.remove), this.thumbs);
    onFiles(this.label, (files) => section.guard(() => this.take(files)));
    this.record.addEventListener("click", () => section.guard(() => this.camera.toggle()));
    this.remove.addEventListener("click", () => section.drop(this));
    this.tell();
  }

  get name() {
    return this.title.value.trim();
  }

  async take(files) {
    const bad = [];
    for (const file of files) {
      await pixelsOfFile(file).then((pixels) => this.add(pixels), (error) => bad.push(error.message));
    }
    if (bad.length) throw new Problem(bad.join("\n"));
  }

  add(pixels) {
    const image = framed(pixels, this.section.settings);
    const canvas = make("canvas");
    drawn(canvas, image);
    const thumb = make("button", { type: "button", title: "Remove this picture", ariaLabel: "Remove this picture" }, canvas);
    const picture = { image };
    thumb.addEventListener("click", () => {
      this.pictures.splice(this.pictures.indexOf(picture), 1);
      thumb.remove();
      this.tell();
    });
    this.pictures.push(picture);
    this.thumbs.append(thumb);
    this.tell();
  }

  tell() {
    this.count.textContent = this.pictures.length === 1 ? "1 picture" : `${this.pictures.length} pictures`;
  }
}

const LEAST_PICTURES = 3;
const HELD_BACK = 5; // every fifth picture is not learned from, but asked about at the end

/** The section in which a person teaches. `onLearned` gets an `answer` and its classes. */
class Teach {
  constructor(runtime, settings, onLearned) {
    Object.assign(this, { runtime, settings, onLearned, root: $("#learn"), boxes: [], isTraining: false });
    this.most = Math.max(...Object.keys(settings.learn.lessons));
    this.addBox();
    this.addBox();
    $(".epochs", this.root).value = settings.learn.epochs;
    $(".rate", this.root).value = settings.learn.rate;
    $(".add", this.root).addEventListener("click", () => this.addBox());
    $(".train", this.root).addEventListener("click", () => this.guard(() => this.toggle()));
    $(".weights", this.root).addEventListener("click", () => this.guard(() => this.saveWeights()));
    $(".spec", this.root).addEventListener("click", () => save(new Blob([this.learner.lesson.spec]), "trained.cnn"));
    this.root.hidden = false;
  }

  guard(work) {
    return guarded($(".problem", this.root), work);
  }

  addBox() {
    this.made = (this.made ?? 0) + 1;
    const box = new Box(this, `Class ${this.made}`);
    this.boxes.push(box);
    $(".boxes", this.root).append(box.root);
    this.tellBoxes();
  }

  drop(box) {
    box.camera.stop();
    box.root.remove();
    this.boxes = this.boxes.filter((other) => other !== box);
    this.tellBoxes();
  }

  tellBoxes() {
    $(".add", this.root).hidden = this.boxes.length >= this.most;
    this.boxes.forEach((box) => { box.remove.hidden = this.boxes.length <= 2; });
  }

  /** The names of the classes; a Problem where there is too little to learn from. */
  checked() {
    const names = this.boxes.map((box) => box.name);
    const poor = this.boxes.find((box) => box.pictures.length < LEAST_PICTURES);
    if (names.includes("")) throw new Problem("Give each class a name.");
    if (new Set(names).size < names.length) throw new Problem("Two classes have the same name: give each its own.");
    if (poor) throw new Problem(`“${poor.name}” has too few pictures: give it at least ${LEAST_PICTURES}.`);
    return names;
  }

  async toggle() {
    if (this.isTraining) {
      this.isTraining = false;
      return;
    }
    const classes = this.checked();
    this.boxes.forEach((box) => box.camera.stop());
    this.isTraining = true;
    $(".train", this.root).textContent = "Stop";
    $(".curve", this.root).hidden = false;
    $(".downloads", this.root).hidden = true;
    try {
      await this.train(classes);
    } finally {
      this.isTraining = false;
      $(".train", this.root).textContent = "Train";
    }
  }

  async train(classes) {
    this.tell("Getting ready…");
    this.learner = await Learner.open(this.runtime, this.settings, classes);
    const examples = await this.examples();
    const [held, learned] = [true, false].map((wanted) => examples.filter(({ isHeld }) => isHeld === wanted));
    await this.steps(learned);
    await this.learner.settle();
    const asked = held.length ? held : learned;
    const right = (await Promise.all(asked.map(async ({ x, y }) => largest(await this.learner.probabilities(x)) === y))).filter(Boolean);
    this.tell(`${$(".told", this.root).textContent} Of ${asked.length} ${held.length ? "pictures that were held back" : "pictures"}, ${right.length} are told right.`);
    $(".curve", this.root).dataset.right = right.length / asked.length;
    this.finish(classes);
  }

  /** All pictures as {x, y, isHeld}; with a body x are its features, computed once a picture. */
  async examples() {
    const examples = [];
    const total = this.boxes.reduce((sum, { pictures }) => sum + pictures.length, 0);
    for (const [y, { pictures }] of this.boxes.entries()) {
      for (const [i, picture] of pictures.entries()) {
        this.tell(`Looking at picture ${examples.length + 1} of ${total}…`);
        await breathe();
        picture.x ??= await this.input(picture.image);
        examples.push({ x: picture.x, y, isHeld: i % HELD_BACK === HELD_BACK - 1 });
      }
    }
    return examples;
  }

  /** What learns sees of an image: its pixels, or what the frozen body makes of them. */
  async input(image) {
    const { settings, runtime } = this;
    const x = normalised([image], settings);
    if (!settings.learn.body) return x;
    this.body ??= await runtime.session(settings.learn.body);
    const { features } = await runtime.run(this.body, { input: runtime.tensor("float32", x, [1, ...settings.input]) });
    return features.data;
  }

  async steps(examples) {
    const { batch } = this.settings.learn;
    const [epochs, rate] = [".epochs", ".rate"].map((name) => Number($(name, this.root).value));
    if (!(epochs >= 1 && rate > 0)) throw new Problem("Passes and learning rate are numbers above zero.");
    const order = shuffled(examples.length);
    const perEpoch = Math.ceil(examples.length / batch);
    const losses = [];
    for (let epoch = 1; epoch <= epochs && this.isTraining; epoch++) {
      let correct = 0;
      for (let i = 0; i < perEpoch; i++) {
        const chosen = Array.from({ length: batch }, () => examples[order.next().value]);
        const done = await this.learner.learnFrom(chosen, rate);
        if (!Number.isFinite(done.loss)) throw new Problem("The loss is no number any more: lower the learning rate, and train again.");
        losses.push(done.loss);
        correct += done.correct / (perEpoch * batch);
        await breathe();
      }
      this.draw(losses);
      const [first, last] = [losses[0], losses.at(-1)].map((loss) => loss.toPrecision(3));
      this.tell(`Pass ${epoch} of ${epochs}: loss ${first} → ${last}, ${Math.round(100 * correct)} % right.`);
    }
  }

  draw(losses) {
    const most = Math.max(...losses);
    const points = losses.map((loss, i) => `${(600 * (i + 1)) / losses.length},${155 - (150 * loss) / most}`);
    $(".curve polyline", this.root).setAttribute("points", points.join(" "));
    Object.assign($(".curve", this.root).dataset, { first: losses[0], last: losses.at(-1) });
  }

  tell(text) {
    $(".told", this.root).textContent = text;
  }

  finish(classes) {
    const { settings, learner } = this;
    const given = settings.learn.set.map((pair) => ` --set ${pair}`).join("");
    const told = crypto.subtle ? "" : ` --classes "${classes.join(",")}" --mean ${settings.mean} --std ${settings.std}`;
    $(".downloads code", this.root).textContent = `cnndsl compile trained.cnn --weights trained.safetensors${given}${told} -o trained.onnx`;
    $(".downloads .used", this.root).textContent = settings.learn.used.map((file) => ` and ${file}`).join("");
    $(".downloads", this.root).hidden = false;
    this.onLearned(async (image) => {
      const shares = await learner.probabilities(await this.input(image));
      return { rows: named(classes, shares, "class").sort(byValue) };
    }, classes);
  }

  async saveWeights() {
    const { settings, learner } = this;
    const frozen = settings.learn.body ? unpackedFile(await (await fetched("frozen.safetensors")).arrayBuffer()) : {};
    const crop = settings.crop ? { crop: settings.crop, resample: settings.resample } : {};
    const info = { mean: settings.mean, std: settings.std, classes: learner.classes, ...crop };
    save(await packedFile({ ...frozen, ...(await learner.weights()) }, info), "trained.safetensors");
  }
}

const largest = (values) => values.indexOf(Math.max(...values));

function save(blob, name) {
  const link = make("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

function tellAbout(name, classes) {
  document.title = name;
  $("h1").textContent = name;
  const some = classes.slice(0, 12).join(" · ");
  $("#about").textContent = some && `It knows ${some}${classes.length > 12 ? ` and ${classes.length - 12} more` : ""}.`;
}

async function start() {
  const settings = await (await fetched("model.json")).json();
  const { name, model, learn } = settings;
  tellAbout(name, model?.classes ?? []);
  const runtime = await Runtime.open(settings.runtime);
  const classify = new Classify(settings, model && (await compiled(runtime, settings)));
  if (learn) {
    new Teach(runtime, settings, (answer, classes) => {
      tellAbout(name, classes);
      classify.learned(answer);
    });
  }
  $("#runs").textContent = runtime.told([...(model?.operators ?? []), ...(learn?.operators ?? [])]);
  $("main").hidden = false;
}

guarded($("#status"), start);
