// The box of one class in the section that teaches.

import { Problem, make } from "./dom.js";
import { drawn } from "./drawing.js";
import { framed, pixelsOfFile } from "./images.js";
import { Camera, onFiles } from "./pictures.js";

/** A class of the person's: a name and pictures, each prepared for the net. */
export class Box {
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
