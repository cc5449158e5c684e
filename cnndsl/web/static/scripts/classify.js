// The section that answers.

import { ANSWERS, maskOf } from "./answers.js";
import { $, guarded, make } from "./dom.js";
import { drawn, showAnswers } from "./drawing.js";
import { framed, normalised, pixelsOfFile } from "./images.js";
import { Camera, onFiles } from "./pictures.js";

/** `answer(image)` gives rows and, of a segmentation, a mask; null as long as nothing is known. */
export class Classify {
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
export async function compiled(runtime, settings) {
  const { model } = settings;
  const session = await runtime.session(model.file);
  return async (image) => {
    const x = runtime.tensor("float32", normalised([image], settings), [1, ...settings.input]);
    const outputs = (await runtime.run(session, { [session.inputNames[0]]: x }))[model.output].data;
    const isMap = model.task.task === "segmentation";
    return { rows: ANSWERS[model.task.task](outputs, model), mask: isMap && maskOf(outputs, model.outputs[0]) };
  };
}
