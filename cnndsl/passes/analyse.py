"""All passes, one after the other: text to model, with everything that is wrong on the way."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from cnndsl import learned, limits
from cnndsl.frameworks.region import Region
from cnndsl.ir import Model
from cnndsl.passes import foreign_code, foreign_shapes
from cnndsl.passes.expand import expand
from cnndsl.passes.expansion import ExpansionState
from cnndsl.passes.foreign_code import Mended, mended
from cnndsl.passes.recipe import read_recipe
from cnndsl.passes.reporter import Reporter
from cnndsl.passes.scope import Scope
from cnndsl.passes.search import read_search
from cnndsl.passes.synonyms import guess
from cnndsl.passes.syntax_fixes import with_fix
from cnndsl.passes.unreached import find_unknown
from cnndsl.recipe import Recipe
from cnndsl.source import Diagnostic, Failed, Source, Span, UserError, either
from cnndsl.space import Space
from cnndsl.syntax import ast
from cnndsl.syntax.parser import parse

Varied = Sequence[Source] | None


def analyse(
    source: Source, settings: Mapping[str, float] | None = None, varied: Varied = ()
) -> tuple[Model | None, list[Diagnostic]]:
    """The model (None where there are errors) and all diagnostics; never raises for any text.

    `settings` override file-level lets; UserError for one that the spec does not have. `varied`
    are more statements of its `search` section, above those that stand there; None: that of a
    single candidate, whose section is not read.
    """
    model, found, _ = examine(source, settings, varied)
    return model, found


def examine(
    source: Source, settings: Mapping[str, float] | None = None, varied: Varied = ()
) -> tuple[Model | None, list[Diagnostic], ast.File]:
    """As `analyse`, and the syntax tree of all that could be understood."""
    model, found, file = _examined(source, settings, varied)
    theirs = _regions(source.text) if model is None else []
    return (model, _around(source, theirs, settings), file) if theirs else (model, found, file)


def _regions(text: str) -> list[Region]:
    """Code of other frameworks; its reader is imported here, as most specs need none."""
    from cnndsl.frameworks.regions import regions

    return regions(text)


def _examined(
    source: Source, settings: Mapping[str, float] | None, varied: Varied = ()
) -> tuple[Model | None, list[Diagnostic], ast.File]:
    """`examine` of a text that is ours from its first to its last line."""
    reporter = Reporter()
    if len(source.text.encode("utf-8", "replace")) > limits.SPEC_BYTES:
        message = f"the text is longer than {limits.SPEC_BYTES // 1024} KiB"
        reporter.report("E900", message, Span(source, 0, 0), "split it with `use`")
        return None, reporter.all, ast.File(source, (), frozenset(), unclear=True)
    file, errors = parse(source)
    for error in errors:
        reporter.add(with_fix(error) if error.code in ("E001", "E002", "E004") else error)
    if file.unclear:
        return None, reporter.all, file
    return _expanded(file, reporter, dict(settings or {}), varied), reporter.all, file


def _around(
    source: Source, theirs: list[Region], settings: Mapping[str, float] | None
) -> list[Diagnostic]:
    """What is wrong where code of other frameworks stands: that, and what is beside it."""

    def trial(text: str) -> Model | None:
        return _examined(Source(text), {})[0]

    text = mended(source, theirs)
    model, found, _ = _examined(text.mended, settings)
    if any(d.code == "E301" and text.cut(d.span) for d in found):
        first = foreign_shapes.with_input(theirs[0], source, trial)
        if first is not None:
            theirs = [first, *theirs[1:]]
            text = mended(source, theirs)
            model, found, _ = _examined(text.mended, settings)
    others = list(_beside(text, found))
    if model is not None:
        others += foreign_shapes.unexpected(text, model, trial)
    refused = {r.start for r in theirs if _is_refused(r, others, model)}
    found = [*foreign_code.diagnostics(source, theirs, refused), *others]
    return sorted(found, key=lambda d: (d.span.source.name, d.span.start))


def _beside(text: Mended, found: list[Diagnostic]) -> Iterator[Diagnostic]:
    """What is found in a mended text, at its places in the source."""
    for d in found:
        at, back = text.cut(d.span), text.back(d)
        if back is not None and at is not None and d.code == "E301":
            back = foreign_shapes.without_input(back, text.source, at.region)
        if back is not None:
            yield back


def _is_refused(region: Region, others: list[Diagnostic], model: Model | None) -> bool:
    """Whether a region as it is written here is not to be written yet.

    What arrives at its layers is compared with what they are for only in a whole model.
    """
    wrong = [d for d in others if d.severity == "error" and d.code != "E301"]
    inside = any(region.start <= d.span.start < region.end for d in wrong)
    compared = any(each is not None and each.arriving is not None for each in region.origins)
    return inside or (compared and model is None and bool(wrong))


def recipe_of(section: str, name: str) -> Recipe:
    """The recipe of what stands inside of `train { … }`; Failed with its errors."""
    reporter = Reporter()
    file, errors = parse(Source(section, name))
    for error in errors:
        reporter.add(error)
    recipe = read_recipe(file.body, Scope(file), reporter)
    if reporter.failed:
        raise Failed([replace(d, fix=None) for d in reporter.all])  # there is no file to mend
    return recipe


def _expanded(
    file: ast.File, reporter: Reporter, settings: dict[str, float], varied: Varied
) -> Model | None:
    source = file.source
    state = expand(file, reporter, source.path.parent if source.path else None, settings)
    find_unknown(state, file)
    _check_settings(file, settings)
    recipe = None
    if state.recipe is not None:
        section, scope = state.recipe
        assert section.group is not None
        recipe = read_recipe(section.group.branches[0], scope, reporter)
    space = _space(state, file, reporter, recipe or Recipe(), varied)
    if not reporter.failed:
        _check_whole(state, file, reporter)
    if reporter.failed:
        return None
    outputs = {name: tensor.index for name, tensor in state.outputs.items()}
    assert state.current is not None
    if state.current != state.named:
        outputs.setdefault("output", state.current.index)
    name = Path(source.name).stem if source.path else source.name.strip("<>")
    name = name.encode("utf-8", "replace").decode()  # it goes into files; a path may be any bytes
    nodes = tuple(state.builder.nodes)
    model = Model(name, source, nodes, outputs, settings, recipe, _used(state), space)
    _check_patterns(model, reporter)
    return None if reporter.failed else model


def _space(
    state: ExpansionState, file: ast.File, reporter: Reporter, recipe: Recipe,
    varied: Varied,
) -> Space | None:  # fmt: skip
    """What the `search` section varies, under what is varied besides."""
    if varied is None:
        return None
    sections = list[tuple[ast.Suite, ast.File]]()
    if state.search is not None and state.search.group is not None:
        sections.append((state.search.group.branches[0], file))
    for source in varied:
        more, errors = parse(source)
        sections.append((more.body, more))
        for error in errors:
            reporter.add(error)
    if not sections or state.top is None:
        return None
    names = [node.name.id for node in file.body if isinstance(node, ast.Let)]
    lets = {name: state.top.values_at_hand(name) for name in names}
    return read_search(sections, state.top, recipe, lets, reporter)


def _check_patterns(model: Model, reporter: Reporter) -> None:
    """Report what a recipe freezes, or gives a rate, and the model has not."""
    recipe = model.recipe
    if recipe is None or not model.tensors():  # a recipe alone is read with a model without any
        return
    for setting, i, pattern in learned.patterns(recipe):
        if not learned.named(model, pattern):
            message, hint = learned.unknown(model, pattern)
            reporter.report("E504", message, recipe.places[f"{setting}:{i}"], hint)


def _used(state: ExpansionState) -> dict[str, str]:
    """Texts of the included files, by their path inside the spec's folder."""
    return {
        path.relative_to(state.root).as_posix(): scope.file.source.text
        for path, scope in state.modules.items()
        if scope is not None and state.root is not None
    }


def _check_whole(state: ExpansionState, file: ast.File, reporter: Reporter) -> None:
    span = file.body[-1].span if file.body else Span(file.source, 0, 0)
    if len(state.builder.nodes) > 1:
        return
    if state.current is None and is_part(file):
        use = f'use it in a spec: `use "{Path(file.source.name).name}"`'
        reporter.report("E301", "a file of blocks only is a part, no network", span, use)
    elif state.current is None:
        reporter.report("E301", "the spec is empty", span, "start with `input 3x32x32`")
    else:
        reporter.report(
            "E303", "the network has no layers", span, "add one, such as `conv 32 3x3 relu`"
        )


def is_part(file: ast.File) -> bool:
    """Whether a file only defines blocks and values, for others to `use`."""
    kinds = (ast.Block, ast.Let, ast.Use)
    return any(isinstance(node, ast.Block) for node in file.body) and all(
        isinstance(node, kinds) for node in file.body
    )


def _check_settings(file: ast.File, settings: Mapping[str, float]) -> None:
    lets = {node.name.id for node in file.body if isinstance(node, ast.Let)}
    for name in settings:
        if name not in lets:
            close = guess(name, lets)
            known = f"did you mean `{close}`?" if close else (
                f"the spec has {', '.join(sorted(lets))}" if lets else "the spec has no `let`"
            )  # fmt: skip
            raise UserError(
                f"{either(f'--set {name}', name)}: {file.source.name} has no `let {name}`; {known}"
            )
