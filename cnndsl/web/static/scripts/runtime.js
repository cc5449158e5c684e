// onnxruntime-web: where it comes from, where it computes, its sessions.

import { Problem, fetched } from "./dom.js";

/** Its program for each provider. */
const PROGRAMS = { wasm: "ort-wasm-simd-threaded.wasm", webgpu: "ort-wasm-simd-threaded.asyncify.wasm" };

/** Operators of ours that onnxruntime-web has no WebGPU kernel for: these run on the CPU. */
const ON_CPU = new Set(
  "And Identity IsInf IsNaN LRN LogSoftmax Max Min OneHot Or PRelu QuantizeLinear Round Selu Sign Softplus Sum".split(" ")
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
export class Runtime {
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
