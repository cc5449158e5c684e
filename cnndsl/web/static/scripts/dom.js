// What every part of the page uses: nodes, files beside the page, problems that are shown.

export const $ = (selector, root = document) => root.querySelector(selector);

/** What a person can mend: shown as it is. */
export class Problem extends Error {}

export function make(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

function show(node, text) {
  node.textContent = text;
  node.hidden = !text;
}

export async function fetched(name) {
  const answer = await fetch(name);
  if (!answer.ok) throw new Problem(`${name} cannot be loaded (${answer.status}): is the folder whole?`);
  return answer;
}

/** Runs what may meet a Problem, and shows it. */
export async function guarded(place, work) {
  show(place, "");
  try {
    await work();
  } catch (error) {
    if (!(error instanceof Problem)) console.error(error);
    show(place, error instanceof Problem ? error.message : `Something went wrong: ${error.message}`);
  }
}

export function save(blob, name) {
  const link = make("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
