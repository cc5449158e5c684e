// The section in which a person teaches.

import { likeliest } from "./answers.js";
import { Box } from "./box.js";
import { $, Problem, guarded, save } from "./dom.js";
import { normalised } from "./images.js";
import { Learner, breathe, shuffled } from "./learner.js";
import { fetchedTensors, packedFile } from "./weights.js";

const largest = (values) => values.indexOf(Math.max(...values));

const LEAST_PICTURES = 3;
const HELD_BACK = 5; // every fifth picture is not learned from, but asked about at the end

/** The section in which a person teaches. `onLearned` gets an `answer` and its classes. */
export class Teach {
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
        if (!Number.isFinite(done.loss)) throw new Problem("The loss is not a number any more: lower the learning rate, and train again.");
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
      const chances = await learner.probabilities(await this.input(image));
      return { rows: likeliest(classes, chances) };
    }, classes);
  }

  async saveWeights() {
    const { settings, learner } = this;
    const frozen = settings.learn.body ? await fetchedTensors("frozen.safetensors") : {};
    const crop = settings.crop ? { crop: settings.crop, resample: settings.resample } : {};
    const info = { mean: settings.mean, std: settings.std, classes: learner.classes, ...crop };
    save(await packedFile({ ...frozen, ...(await learner.weights()) }, info), "trained.safetensors");
  }
}
