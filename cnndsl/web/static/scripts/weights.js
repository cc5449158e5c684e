// Weights: safetensors, and the layouts in which a step keeps them.

import { fetched } from "./dom.js";

export const size = (shape) => shape.reduce((a, b) => a * b, 1);

/** Tensors of a safetensors file beside the page: {name: {shape, data}}, float32. */
export async function fetchedTensors(name) {
  return unpackedFile(await (await fetched(name)).arrayBuffer());
}

function unpackedFile(buffer) {
  const length = Number(new DataView(buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
  delete header.__metadata__;
  return Object.fromEntries(Object.entries(header).map(([name, { shape, data_offsets: [start, end] }]) =>
    [name, { shape, data: new Float32Array(buffer.slice(8 + length + start, 8 + length + end)) }]));
}

/** A safetensors file of tensors, with what cnndsl keeps of a model: preprocessing and classes. */
export async function packedFile(tensors, info) {
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

export const toPacked = (data, { split, perm }) => transposed(data, split, perm);
export const fromPacked = (data, { split, perm }) =>
  transposed(data, perm.map((i) => split[i]), split.map((_, i) => perm.indexOf(i)));
