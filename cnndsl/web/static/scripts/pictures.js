// Pictures from a person: dropped, chosen, or of the camera.

import { $, Problem, make } from "./dom.js";
import { pixelsOf } from "./images.js";

/** Calls `take` with the image files that are dropped on, or chosen by, a label. */
export function onFiles(label, take) {
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
export class Camera {
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
