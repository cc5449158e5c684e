"""The diagram as a page whose blocks open and close: one SVG for each, swapped by a few lines."""

from collections import deque
from collections.abc import Callable, Iterator
from html import escape

from cnndsl.diagram.palette import FONT, INK, PAGE
from cnndsl.diagram.scene import Scene
from cnndsl.diagram.svg import clean, css, picture
from cnndsl.diagram.tree import Item, Opening, levels, tree
from cnndsl.ir import Model

BOXES = 4000
"""Most boxes in all pictures of a page; blocks further inside or behind stay closed."""

Drawing = Callable[[Item], Scene]


def page(model: Model, depth: int | None, draw: Drawing) -> str:
    """A page without outside resources: a block opens at a click, a button opens a whole level."""
    deepest = levels(model)
    first = tree(model) if depth is None else tree(model, Opening(depth))
    shown = {f"depth {d}": tree(model, Opening(d)) for d in range(deepest + 1)}
    same = (name for name, root in shown.items() if root == first)
    start = next(same, f"depth {deepest}")
    shown |= dict(_opened(model, shown["depth 0"]))
    templates = "".join(
        f'<template data-state="{_attribute(name)}">{picture(draw(root))}</template>\n'
        for name, root in shown.items()
    )
    buttons = "".join(f'<button data-to="depth {d}">{d}</button>' for d in range(deepest + 1))
    name = escape(clean(model.name))
    return _PAGE.format(
        name=name, css=css(), look=_LOOK, start=start, templates=templates, script=_SCRIPT,
        buttons=f"<nav>open levels of blocks: {buttons}</nav>" if deepest else "",
    )  # fmt: skip


def _attribute(text: str) -> str:
    return escape(clean(text))


def _opened(model: Model, root: Item) -> Iterator[tuple[str, Item]]:
    """For each block the model with it opened, and what is around it; outer blocks first."""
    waiting, left = deque((path, frozenset({path})) for path in _closed(root)), BOXES
    while waiting:
        path, opened = waiting.popleft()
        found = tree(model, Opening(0, opened))
        left -= len(found.boxes)
        if left < 0:
            break
        yield path, found
        inner = [p for p in _closed(found) if p.startswith(f"{path}.")]
        waiting += [(p, opened | {p}) for p in inner]


def _closed(root: Item) -> list[str]:
    return [box.paths[0] for box in root.boxes if box.block]


_PAGE = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{name}</title>
<style>{css}{look}</style>
{buttons}
<main data-start="{start}"></main>
{templates}<script>{script}</script>
</html>
"""

_LOOK = f"""
:root{{color-scheme:light dark;--ink:{INK["ink"][0]};--page:{PAGE[0]};--soft:{INK["soft"][0]}}}
@media(prefers-color-scheme:dark){{
:root{{--ink:{INK["ink"][1]};--page:{PAGE[1]};--soft:{INK["soft"][1]}}}}}
body{{margin:0;background:var(--page);color:var(--ink);font:13px {FONT}}}
main{{display:flex;justify-content:center;padding:8px}}
nav{{padding:12px 28px 0;color:var(--soft)}}
button{{font:inherit;color:inherit;background:none;border:1px solid;border-radius:5px;
margin-left:4px;padding:2px 9px;cursor:pointer}}
button[aria-pressed=true]{{color:var(--page);background:var(--soft)}}
.opens{{cursor:pointer;outline:none}}
.opens:hover>rect,.opens:focus-visible>rect{{filter:brightness(.96)}}
.opens:hover>text,.opens:focus-visible>text{{text-decoration:underline}}
"""

_SCRIPT = """
const main = document.querySelector("main"), states = {};
for (const t of document.querySelectorAll("template")) states[t.dataset.state] = t;
function show(state) {
  main.replaceChildren(states[state].content.cloneNode(true));
  for (const b of document.querySelectorAll("button"))
    b.setAttribute("aria-pressed", b.dataset.to === state);
  const open = new Set([...main.querySelectorAll("g[data-path] > .frame")].map(
    r => r.parentNode.dataset.path));
  for (const g of main.querySelectorAll("g[data-path]")) {
    const path = g.dataset.path;
    if (!(path in states)) continue;
    const outer = path.includes(".") ? path.slice(0, path.lastIndexOf(".")) : "depth 0";
    g.classList.add("opens");
    g.setAttribute("tabindex", 0);
    g.setAttribute("role", "button");
    g.setAttribute("aria-expanded", open.has(path));
    g.addEventListener("click", () => go(open.has(path) ? outer : path, path));
    g.addEventListener("keydown", e => {
      if (e.key !== "Enter" && e.key !== " ") return;
      e.preventDefault();
      g.dispatchEvent(new Event("click"));
    });
  }
}
function go(state, path) {
  const find = () => [...main.querySelectorAll("g[data-path]")].find(g => g.dataset.path === path);
  const before = find().getBoundingClientRect().top;
  show(state in states ? state : "depth 0");
  const now = find();
  if (!now) return;
  scrollBy(0, now.getBoundingClientRect().top - before);
  now.focus({preventScroll: true});
}
for (const b of document.querySelectorAll("button"))
  b.addEventListener("click", () => show(b.dataset.to));
show(main.dataset.start);
"""
