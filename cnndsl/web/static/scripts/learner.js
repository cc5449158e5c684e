// A net that learns by running the graph of a training step.

import { softmax } from "./answers.js";
import { fetchedTensors, fromPacked, size, toPacked } from "./weights.js";

/** Numbers 0…count−1 in random order, again and again: batches go on over the end of a pass. */
export function* shuffled(count) {
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
export async function breathe() {
  if (performance.now() - breathe.last < 30) return;
  await new Promise((resolve) => setTimeout(resolve));
  breathe.last = performance.now();
}
breathe.last = 0;

/** A net, or its head, that learns by running a step's graph: state goes in and comes out. */
export class Learner {
  /** For images of some classes, at its start. */
  static async open(runtime, settings, classes) {
    const { learn } = settings;
    const lesson = learn.lessons[classes.length];
    const provider = learn.body ? "wasm" : runtime.provider; // a head is too small for WebGPU
    const stay = ["step", ...stateOf(lesson).map(({ name }) => name)].map((name) => `${name}.new`);
    const fresh = await fetchedTensors("fresh.safetensors");
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
