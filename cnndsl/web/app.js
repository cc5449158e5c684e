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

  /** A session of a file beside the page; on WebAssembly where WebGPU cannot take it. */
  async session(name) {
    const bytes = new Uint8Array(await (await fetched(name)).arrayBuffer());
    const create = (provider) => this.ort.InferenceSession.create(bytes, { executionProviders: [provider] });
    try {
      return await create(this.provider);
    } catch (error) {
      if (this.provider === "wasm") throw new Problem(`${name} cannot be opened: ${error.message}`);
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
    return p >= task.threshold ? rows.reverse() : rows;
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

/** The camera as an endless list of frames, until `stop`. */
class Camera {
  static async open() {
    if (!navigator.mediaDevices) throw new Problem("The camera works on https:// and http://localhost only.");
    const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } }).catch((error) => {
      throw new Problem(error.name === "NotAllowedError"
        ? "The camera is not allowed here. Allow it in the browser's settings of this page, or drop a picture."
        : "No camera was found. Drop a picture, or choose one.");
    });
    const video = make("video", { srcObject: stream, muted: true, playsInline: true });
    await video.play();
    return Object.assign(new Camera(), { stream, video });
  }

  frame() {
    return pixelsOf(this.video, this.video.videoWidth, this.video.videoHeight);
  }

  stop() {
    this.stream.getTracks().forEach((track) => track.stop());
  }
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

/** `answer(image)` gives rows and, of a segmentation, a mask. */
class Classify {
  constructor(settings, answer) {
    Object.assign(this, { settings, answer, root: $("#classify"), canvas: make("canvas"), camera: null });
    this.problem = $(".problem", this.root);
    $(".stage", this.root).prepend(this.canvas);
    onFiles($(".drop", this.root), (files) => this.files(files));
    addEventListener("paste", (event) => event.clipboardData.files.length && this.files([...event.clipboardData.files]));
    $(".camera", this.root).addEventListener("click", () => guarded(this.problem, () => this.toggleCamera()));
  }

  files([file]) {
    this.stopCamera();
    return file && guarded(this.problem, async () => this.show(await pixelsOfFile(file)));
  }

  async show(pixels) {
    const image = framed(pixels, this.settings);
    const { rows, mask } = await this.answer(image);
    drawn(this.canvas, image, mask);
    $(".stage", this.root).hidden = false;
    showAnswers($(".answers", this.root), rows);
  }

  async toggleCamera() {
    if (this.camera) return this.stopCamera();
    const camera = (this.camera = await Camera.open());
    $(".camera", this.root).textContent = "Stop the camera";
    while (this.camera === camera) {
      await this.show(camera.frame());
      await new Promise(requestAnimationFrame);
    }
  }

  stopCamera() {
    this.camera?.stop();
    this.camera = null;
    $(".camera", this.root).textContent = "Use the camera";
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

function tellAbout({ name, model }) {
  document.title = name;
  $("h1").textContent = name;
  const classes = model?.classes ?? [];
  const some = classes.slice(0, 12).join(" · ");
  $("#about").textContent = some && `It knows ${some}${classes.length > 12 ? ` and ${classes.length - 12} more` : ""}.`;
}

async function start() {
  const settings = await (await fetched("model.json")).json();
  tellAbout(settings);
  const runtime = await Runtime.open(settings.runtime);
  new Classify(settings, await compiled(runtime, settings));
  $("#runs").textContent = runtime.told(settings.model.operators);
  $("main").hidden = false;
}

guarded($("#status"), start);
