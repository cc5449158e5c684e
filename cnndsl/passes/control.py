"""The words that are no layers: `from output default train search cnn let use`, and labels."""

import re
from collections.abc import Callable

from cnndsl.layers import vocabulary
from cnndsl.passes.binding import Binding
from cnndsl.passes.convert import whole
from cnndsl.passes.expansion import ExpansionState
from cnndsl.passes.modules import load
from cnndsl.passes.reporter import SpecError, line_of, unknown_value
from cnndsl.passes.scope import UNKNOWN, Closure, Scope, Tensor
from cnndsl.passes.synonyms import guess, reserved_words
from cnndsl.passes.unknown_words import unknown
from cnndsl.passes.values import evaluate, shown
from cnndsl.source import Fix, Span
from cnndsl.syntax import ast

RESERVED = {"let", "block", "if", "else", "use", "and", "or", "not", "true", "false", "ch", "plain"}

_LABELLED = re.compile(r"[ \t]*:[ \t]*([^\n;{}|#]*[^\n;{}|#\s])")
_BROKEN = re.compile(r"(?:(?P<label>\w+)\s*:\s*)?(?P<word>\w+)?\s*(?P<next>\w+|=)?")


def broken(state: ExpansionState, node: ast.Statement, scope: Scope) -> None:
    """Go on behind a statement that did not parse: what it would have defined is unknown."""
    found = _BROKEN.match(node.span.source.text, node.span.start)
    label, word, behind = found.group("label", "word", "next") if found else (None, None, None)
    if "input" in (label, word) or state.current is not None:
        state.current = UNKNOWN
    if behind == "=" and word:
        scope.labels.setdefault(word, UNKNOWN)
    if label:
        scope.labels.setdefault(label, UNKNOWN)
    variable = behind if word == "let" else word if behind == "=" else None
    if variable:
        scope.values.setdefault(variable, unknown_value)


def _in_braces(name: ast.Name) -> Fix | None:
    """`residual: conv 3 3x3` as `residual { conv 3 3x3 }`, if braces may follow the word."""
    source, cls = name.span.source, vocabulary().get(name.id)
    rest = _LABELLED.match(source.text, name.span.end)
    if rest is None or cls is None or not cls.takes_group:
        return None
    text = f"{name.id} {{ {rest[1]} }}"
    return Fix(Span(source, name.span.start, rest.end()), text, f"write `{text}`")


def hoist(state: ExpansionState, suite: ast.Suite, scope: Scope) -> None:
    """Make blocks and included files known before anything of the suite runs."""
    defaults = dict(scope.defaults)
    for node in suite:
        try:
            if isinstance(node, ast.Block):
                _define(node.name, scope, "block")
                scope.blocks[node.name.id] = Closure(node, scope, dict(defaults))
                _check_params(node, scope)
            elif isinstance(node, ast.Use):
                use(state, node, scope)
            elif isinstance(node, ast.Statement) and node.head.id == "default":
                _extend(defaults, node)
        except SpecError as error:
            scope.lacks_include |= isinstance(node, ast.Use)
            state.reporter.add(error.diagnostic)


def _define(name: ast.Name, scope: Scope, what: str) -> None:
    """Take a name; SpecError where it is reserved or taken in this scope."""
    if name.id in {*RESERVED, *WORDS, *reserved_words()}:
        message = f"`{name.id}` is a word of the language, it cannot name a {what}"
        fix = _in_braces(name) if what == "label" else None
        if fix is not None:
            raise SpecError("E110", message, name.span, f"write `{name.id} {{ … }}`", fix)
        raise SpecError("E110", message, name.span, f"write `{name.id}_` or another name")
    if name.id in scope.places:
        where = line_of(scope.places[name.id], name.span.source)
        message = f"`{name.id}` is defined already at {where}"
        raise SpecError("E110", message, name.span, "choose another name")
    scope.places[name.id] = name.span


def _check_params(block: ast.Block, scope: Scope) -> None:
    inside = Scope(scope.file)
    for param in block.params:
        _define(param.name, inside, "parameter")


def use(state: ExpansionState, node: ast.Use, scope: Scope) -> None:
    """Bring in the blocks and lets of another file."""
    module = load(state, node, scope)
    scope.lacks_include |= module is None or module.lacks_include
    if module is None:
        return
    for name, origin in module.places.items():
        if scope.places.get(name) == origin:
            continue  # two files bring the same thing
        _define(ast.Name(node.span, name), scope, "name")
        scope.places[name] = origin
        if name in module.blocks:
            scope.blocks[name] = module.blocks[name]
        elif name in module.values:
            scope.values[name] = module.values[name]


def let(state: ExpansionState, node: ast.Let, scope: Scope) -> None:
    """`let k = 32`; one of the spec's own level takes its value from the settings where given."""
    _define(node.name, scope, "let")
    name = node.name.id
    if scope is state.top and name in state.settings:
        scope.values[name] = state.settings[name]
        return
    scope.values[name] = unknown_value  # what depends on a failed `let` stays silent
    scope.values[name] = evaluate(node.value, scope)


def repeats(state: ExpansionState, node: ast.Statement, scope: Scope) -> int:
    """How often a statement runs: its `*n`, or once."""
    found = [item for item in (*node.items, *node.tail) if isinstance(item, ast.Repeat)]
    if not found:
        return 1
    if len(found) > 1:
        raise SpecError("E108", "two repeats in one statement", found[1].span, "keep one of them")
    value = evaluate(found[0].value, scope)
    times = whole(value)
    if times is None or times < 0:
        message = f"a repeat is a whole number, not {shown(value)}"
        raise SpecError("E106", message, found[0].span, "write `*3`; strides are `/2`")
    return times


def label(state: ExpansionState, name: ast.Name, scope: Scope) -> None:
    """Give the current tensor a name."""
    _define(name, scope, "label")
    scope.labels[name.id] = state.current or UNKNOWN


def find(state: ExpansionState, name: ast.Name, scope: Scope) -> Tensor:
    """The labelled tensor; SpecError with the nearest label."""
    tensor = scope.label(name.id)
    if tensor is not None:
        return tensor
    known = scope.known("labels")
    close = guess(name.id, known)
    hint = f"did you mean `{close}`?" if close else (
        f"labels here: {', '.join(sorted(known))}" if known
        else f"name a statement above: `{name.id}: conv …`"
    )  # fmt: skip
    fix = Fix(name.span, close, f"write `{close}`") if close else None
    raise SpecError("E111", f"unknown label `{name.id}`", name.span, hint, fix)


def _input(state: ExpansionState, node: ast.Statement, scope: Scope) -> None:
    if state.current is not None:
        known = bool(state.builder.nodes)
        message = "the input is given already" if known else "`input` comes first"
        raise SpecError("E302", message, node.span, "a spec has one input, before its layers")
    if state.builder.stack:
        hint = "put it before the first layer of the spec"
        raise SpecError("E302", "`input` cannot stand in a block", node.span, hint)
    binder = state.binder(scope)
    binder.bindings.append(Binding(vocabulary()["input"], node.head.span))
    binder.take((*node.items, *node.tail))
    layers = binder.build()
    state.current = UNKNOWN
    if layers and not binder.failed:
        path = state.builder.path("input", node.label.id if node.label else "input")
        state.builder.statement = node
        state.current = state.builder.apply(layers[0], binder.bindings[0], (), path)
        _check_order(state, layers[0].size, binder.bindings[0].spans["size"])
    if node.label is not None:
        label(state, node.label, scope)


def _check_order(state: ExpansionState, size: tuple[int, ...], span: Span) -> None:
    """Warn of height x width x channels."""
    if len(size) != 3 or size[2] not in (1, 3, 4) or size[0] <= 4 or size[1] <= 4:
        return
    wanted = f"{size[2]}x{size[0]}x{size[1]}"
    state.builder.swapped = f"channels come first: `input {wanted}`"
    state.reporter.report(
        "W001", f"{span.text} looks like height x width x channels", span,
        f"channels come first: `input {wanted}`", fix=Fix(span, wanted, f"write `{wanted}`"),
        severity="warning",
    )  # fmt: skip


def _from(state: ExpansionState, node: ast.Statement, scope: Scope) -> None:
    name = _one_name(node, "from", "label")
    state.current = find(state, name, scope)
    if node.label is not None:
        label(state, node.label, scope)


def _one_name(node: ast.Statement, word: str, what: str) -> ast.Name:
    match node.items:
        case (ast.Positional(_, ast.Name() as name),):
            return name
        case _:
            message = f"`{word}` takes one {what}"
            raise SpecError("E105", message, node.span, f"write `{_each(node, word)}`")


def _each(node: ast.Statement, word: str) -> str:
    """Several outputs are a statement each; reading goes on from one place only."""
    items = [i.value for i in node.items if isinstance(i, ast.Positional)]
    given = [value.id for value in items if isinstance(value, ast.Name)] or ["name"]
    return "; ".join(f"{word} {name}" for name in (given if word == "output" else given[:1]))


def _output(state: ExpansionState, node: ast.Statement, scope: Scope) -> None:
    name = _one_name(node, "output", "name")
    if name.id == "input":
        raise SpecError("E110", "`input` is the name of the graph's input", name.span,
                        "choose another name for the output")  # fmt: skip
    if name.id in state.outputs:
        raise SpecError("E304", f"the output `{name.id}` is given already", name.span)
    if state.current is None:
        raise SpecError("E301", "there is no input yet", node.span, "start with `input 3x32x32`")
    if node.group is not None:
        state.single_branch(node.group, "output")
        state.outputs[name.id] = state.branches(node.group, scope)[0]
        return
    tensor = scope.label(name.id)
    state.outputs[name.id] = tensor or state.current
    if tensor is None or tensor == state.current:
        state.named = state.current


def _default(state: ExpansionState, node: ast.Statement, scope: Scope) -> None:
    _extend(scope.defaults, node)


def _extend(defaults: dict[str, tuple[ast.Item, ...]], node: ast.Statement) -> None:
    match node.items:
        case (ast.Positional(_, ast.Name(_, word)), *rest) if word in vocabulary():
            defaults[word] = (*defaults.get(word, ()), *rest)
        case (ast.Positional(_, ast.Name() as name), *_):
            raise unknown(name, set())
        case _:
            hint = "write `default conv bn relu`"
            raise SpecError("E105", "`default` needs a layer and its words", node.span, hint)


def _train(state: ExpansionState, node: ast.Statement, scope: Scope) -> None:
    _check_section(state, node, state.recipe is None, "train { epochs 10 }")
    state.recipe = (node, scope)


def _search(state: ExpansionState, node: ast.Statement, scope: Scope) -> None:
    _check_section(state, node, state.search is None, "search { width 16 to 64 }")
    if scope is not state.top:
        message = "`search` stands on the level of the file"
        raise SpecError("E109", message, node.head.span, "put it behind the layers")
    state.search = node


def _check_section(
    state: ExpansionState, node: ast.Statement, is_first: bool, example: str
) -> None:
    """SpecError for a second section of a kind, and for one without braces."""
    word = node.head.id
    if not is_first:
        message = f"there is a `{word}` section already"
        raise SpecError("E302", message, node.head.span, "a spec has one; put both together")
    if node.group is None:
        raise SpecError("E105", f"`{word}` needs its section", node.span, f"write `{example}`")
    state.single_branch(node.group, word)


def _version(state: ExpansionState, node: ast.Statement, scope: Scope) -> None:
    match node.items:
        case (ast.Positional(_, ast.Number(_, 1)),) if scope.file.body[0] is node:
            return
        case (ast.Positional(_, ast.Number(_, 1)),):
            raise SpecError("E005", "the header `cnn 1` comes first", node.span, "move it up")
        case _:
            message = "this cnndsl knows version 1 of the language"
            raise SpecError("E005", message, node.span, "write `cnn 1`, or leave the header out")


Control = Callable[[ExpansionState, ast.Statement, Scope], None]

WORDS: dict[str, Control] = {
    "input": _input,
    "from": _from,
    "output": _output,
    "default": _default,
    "train": _train,
    "search": _search,
    "cnn": _version,
}
