// Images as the net sees them, as `cnndsl run` prepares them, bit for bit (pillow's resampling in whole numbers).

import { Problem, make } from "./dom.js";

const MOST_PIXELS = 64_000_000;

/** An image file's pixels: {width, height, data: RGBA}, upright, on white. */
export async function pixelsOfFile(file) {
  const options = { imageOrientation: "from-image", colorSpaceConversion: "none" };
  const bitmap = await createImageBitmap(file, options).catch(() => {
    throw new Problem(`${file.name || "This"} is not a picture that the browser can read. PNG, JPEG, GIF, WebP and BMP are.`);
  });
  if (bitmap.width * bitmap.height > MOST_PIXELS) throw new Problem(`${file.name} has more than 64 million pixels.`);
  return pixelsOf(bitmap, bitmap.width, bitmap.height);
}

export function pixelsOf(source, width, height) {
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
export function framed(pixels, { input: [channels, height, width], crop, resample }) {
  const image = inChannels(pixels, channels);
  if (crop) return cropped(image, width, height, crop, resample);
  return resized(image, width, height, middle(image, width, height), "bilinear");
}

/** Images of the net's size as its input: N×C×H×W, less mean, over std. */
export function normalised(images, { input: [channels, height, width], mean, std }) {
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
