// Answers as a list with bars, images and masks on a canvas.

import { colourOf } from "./answers.js";
import { make } from "./dom.js";

const SHOWN = 6;

export function showAnswers(list, rows) {
  list.replaceChildren(...rows.slice(0, SHOWN).map(({ name, value, share, text, colour }) => {
    const row = make("li", {}, make("span", { className: "name", textContent: name }), make("span", { className: "value", textContent: text }));
    row.style.setProperty("--share", share);
    if (colour) row.style.borderLeft = `0.6rem solid rgb(${colour})`;
    row.dataset.value = value;
    return row;
  }));
}

/** An image of the net's size on a canvas, a mask's colours over it where there is one. */
export function drawn(canvas, { width, height, channels, data }, mask) {
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
