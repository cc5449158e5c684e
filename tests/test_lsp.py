"""The language server, as an editor meets it: a real client, a real process, one session after
another. Positions are lines and UTF-16 columns from 0, as the protocol counts.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from cnndsl.lsp.complete import complete
from cnndsl.lsp.document import Document
from cnndsl.lsp.hover import hover
from cnndsl.lsp.names import Names
from cnndsl.source import Source
from cnndsl.syntax.parser import parse

lsp = pytest.importorskip("lsprotocol.types")
from pygls.lsp.client import LanguageClient  # noqa: E402

SPECS = Path(__file__).parents[1] / "specs"
URI = "file:///tmp/model.cnn"
TEXT = """input 3x32x32
let width = 8
block unit(c, stride=1) { conv c 3x3 same /stride bn relu }
# naïve 🙂
stem: conv width 3x3 same relu
unit c=2*width /2; unit 32
conv 8 1x1 relu relu
add { id | unit 8 }
flatten; dense 10
"""


class Editor:
    """The client's side: open documents, and what the server has said of them."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.said: dict[str, list[Any]] = {}
        self.version = 0
        self._news = asyncio.Event()

        @client.feature(lsp.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
        def _(params: Any) -> None:
            self.said[params.uri] = params.diagnostics
            self._news.set()

    async def open(self, text: str) -> list[Any]:
        self._news.clear()
        self.text = text
        item = lsp.TextDocumentItem(URI, "cnn", 0, text)
        self.client.text_document_did_open(lsp.DidOpenTextDocumentParams(item))
        await asyncio.wait_for(self._news.wait(), 20)
        return self.said[URI]

    async def type(self, line: int, column: int, text: str, over: int = 0) -> list[Any]:
        """Type a text at a place, over so many characters; what is said then."""
        self._news.clear()
        self.version += 1
        lines = self.text.split("\n")
        lines[line] = lines[line][:column] + text + lines[line][column + over :]
        self.text = "\n".join(lines)
        change = lsp.TextDocumentContentChangeWholeDocument(self.text)
        document = lsp.VersionedTextDocumentIdentifier(version=self.version, uri=URI)
        self.client.text_document_did_change(lsp.DidChangeTextDocumentParams(document, [change]))
        await asyncio.wait_for(self._news.wait(), 20)
        return self.said[URI]

    def at(self, kind: Any, line: int, column: int, **more: Any) -> Any:
        """Parameters of a request about a place."""
        return kind(
            text_document=lsp.TextDocumentIdentifier(URI), position=lsp.Position(line, column),
            **more,
        )  # fmt: skip


def session(steps: Callable[[Editor], Awaitable[Any]]) -> Any:
    """Run steps with a server that is started for them and shut down behind them."""

    async def run() -> Any:
        client = LanguageClient("test", "1")
        editor = Editor(client)
        await client.start_io(sys.executable, "-m", "cnndsl", "lsp")
        try:
            capabilities = lsp.ClientCapabilities()
            await client.initialize_async(lsp.InitializeParams(capabilities))
            client.initialized(lsp.InitializedParams())
            return await steps(editor)
        finally:
            await client.shutdown_async(None)
            client.exit(None)
            await client.stop()

    return asyncio.run(asyncio.wait_for(run(), 60))


def places(ranges: list[Any]) -> list[tuple[int, int]]:
    return [(r.start.line, r.start.character) for r in ranges]


def test_a_session() -> None:
    async def steps(editor: Editor) -> None:
        client = editor.client
        (warning,) = await editor.open(TEXT)
        assert (warning.code, warning.severity) == ("W303", lsp.DiagnosticSeverity.Warning)
        assert places([warning.range]) == [(6, 16)]

        # a mistake is underlined while it is typed, and gone when it is mended
        (error,) = await editor.type(8, 0, "cnov 9 3x3; ")
        assert (error.code, error.severity) == ("E101", lsp.DiagnosticSeverity.Error)
        assert "did you mean `conv`?" in error.message
        ask = lsp.CodeActionParams(
            lsp.TextDocumentIdentifier(URI), error.range, lsp.CodeActionContext([error])
        )
        quick, *_ = await client.text_document_code_action_async(ask)
        assert quick.title == "Write `conv`"
        (edit,) = quick.edit.changes[URI]
        assert (edit.new_text, places([edit.range])) == ("conv", [(8, 0)])
        assert [d.code for d in await editor.type(8, 0, "", over=12)] == ["W303"]

        # hover: shape, costs, manual; the meaning of words; a line with wide characters above
        told = await client.text_document_hover_async(editor.at(lsp.HoverParams, 4, 7))
        assert "**3x32x32 → 8x32x32**  224 parameters" in told.contents.value
        assert "2-D convolution" in told.contents.value
        told = await client.text_document_hover_async(editor.at(lsp.HoverParams, 2, 38))
        assert "zeros around the image" in told.contents.value
        assert "16x16x16" in told.contents.value

        # completion
        async def proposed(line: int, column: int) -> dict[str, Any]:
            asked = editor.at(lsp.CompletionParams, line, column)
            items = await client.text_document_completion_async(asked)
            return {item.label: item for item in items}

        start = await proposed(8, 0)
        assert {"conv", "residual", "unit", "let"} <= set(start)
        assert "relu" in await proposed(4, 22)
        behind = await proposed(4, 24)
        assert {"same", "stride=", "groups=", "bn", "width"} <= set(behind)

        # definition, references, rename
        found = await client.text_document_definition_async(editor.at(lsp.DefinitionParams, 5, 10))
        assert places([found.range]) == [(1, 4)]
        found = await client.text_document_definition_async(editor.at(lsp.DefinitionParams, 7, 12))
        assert places([found.range]) == [(2, 6)]
        context = lsp.ReferenceContext(include_declaration=True)
        asked = editor.at(lsp.ReferenceParams, 2, 7, context=context)
        uses = await client.text_document_references_async(asked)
        assert places([u.range for u in uses]) == [(2, 6), (5, 0), (5, 19), (7, 11)]
        asked = editor.at(lsp.RenameParams, 2, 11, new_name="filters")
        renamed = await client.text_document_rename_async(asked)
        assert places([e.range for e in renamed.changes[URI]]) == [(2, 11), (2, 31), (5, 5)]
        with pytest.raises(Exception, match="cannot be a name"):
            await client.text_document_rename_async(
                editor.at(lsp.RenameParams, 1, 5, new_name="relu")
            )
        with pytest.raises(Exception, match="defined already"):
            await client.text_document_rename_async(
                editor.at(lsp.RenameParams, 1, 5, new_name="unit")
            )

        # shapes behind the lines
        whole = lsp.Range(lsp.Position(0, 0), lsp.Position(9, 0))
        asked = lsp.InlayHintParams(lsp.TextDocumentIdentifier(URI), whole)
        hints = await client.text_document_inlay_hint_async(asked)
        shown = {h.position.line: h.label for h in hints}
        assert shown[4] == "→ 8x32x32"
        assert shown[5] == "→ 32x16x16"
        assert shown[8] == "→ 10"
        assert hints[0].position.character == len("input 3x32x32")

        # layout, outline, all fixes
        asked = lsp.DocumentFormattingParams(
            lsp.TextDocumentIdentifier(URI), lsp.FormattingOptions(2, True)
        )
        assert not await client.text_document_formatting_async(asked)
        await editor.type(8, 8, "   ")
        (edit,) = await client.text_document_formatting_async(asked)
        assert edit.new_text == TEXT
        symbols = await client.text_document_document_symbol_async(
            lsp.DocumentSymbolParams(lsp.TextDocumentIdentifier(URI))
        )
        assert {s.name for s in symbols} == {"width", "unit", "stem"}

    session(steps)


def test_texts_that_do_not_parse_are_served_too() -> None:
    async def steps(editor: Editor) -> None:
        for text in ("", "conv ((((", "add { | ", "\x00\ud800".encode("utf-8", "replace").decode()):
            await editor.open(text)
            client = editor.client
            assert await client.text_document_hover_async(editor.at(lsp.HoverParams, 0, 1)) is None
            await client.text_document_completion_async(editor.at(lsp.CompletionParams, 0, 1))
            asked = lsp.DocumentFormattingParams(
                lsp.TextDocumentIdentifier(URI), lsp.FormattingOptions(2, True)
            )
            await client.text_document_formatting_async(asked)

    session(steps)


def large_spec() -> str:
    """300 lines, each of which is a layer."""
    lines = [f"conv {8 + i % 7} 3x3 same bn relu" for i in range(297)]
    return "\n".join(["input 3x32x32", *lines, "gap", "dense 10", ""])


@pytest.mark.slow
def test_a_keystroke_in_a_large_spec_is_answered_soon() -> None:
    """The figure is told; the bound is ten times the target, for machines that are busy."""

    async def steps(editor: Editor) -> list[float]:
        await editor.open(large_spec())
        times = list[float]()
        for i in range(30):
            start = time.perf_counter()
            await editor.type(100 + i, 5, "1")
            times.append(1e3 * (time.perf_counter() - start))
        return times

    times = session(steps)
    print(f"keystroke in 300 lines: median {statistics.median(times):.0f} ms")
    assert statistics.median(times) < 500


NUMBERS = """let lr = 0.1
let k = 3
let max = 4
let sgd = 1
let aux = 5
input 3x8x8
conv max k=k; conv max(max, 3) 3x3 groups=sgd
output aux { gap; dense aux }
gap; dense 10
train { data shapes; optimizer sgd lr=lr }
"""


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("lr", ["1:5", "10:39"]), ("k", ["2:5", "7:12"]), ("max", ["3:5", "7:6", "7:24"]),
        ("sgd", ["4:5", "7:43"]), ("aux", ["5:5", "8:25"]),
    ],
)  # fmt: skip
def test_a_key_or_choice_of_the_same_name_is_no_use_of_a_let(name: str, places: list[str]) -> None:
    names = Names(parse(Source(NUMBERS))[0])
    uses = names.references(names.top.known[name])
    assert [f"{use.span.line}:{use.span.column}" for use in uses] == places


def test_the_server_leaves_in_silence() -> None:
    def message(**fields: Any) -> bytes:
        body = json.dumps({"jsonrpc": "2.0", **fields}).encode()
        return b"Content-Length: %d\r\n\r\n%s" % (len(body), body)

    start = message(id=1, method="initialize", params={"capabilities": {}})
    whole = start + message(id=2, method="shutdown") + message(method="exit")
    ended = subprocess.run(
        [sys.executable, "-m", "cnndsl", "lsp"], input=whole, capture_output=True, timeout=30
    )
    assert ended.returncode == 0
    assert b"bug" not in ended.stderr


def test_errors_of_used_files_stand_where_they_are_used(tmp_path: Path) -> None:
    (tmp_path / "part.cnn").write_text("block big(c) { conv c 9x9 }\n")
    text = 'input 3x8x8\nuse "part.cnn"\nbig 3\n'
    (found,) = Document(text, tmp_path / "main.cnn").diagnostics
    assert (found.code, found.span.text) == ("E201", '"part.cnn"')
    assert "part.cnn:1:23: kernel 9x9" in found.message


def test_a_file_of_parts_only_lacks_nothing(tmp_path: Path) -> None:
    part = Document("let w = 16\nblock unit(c) { conv c 3x3 }\n", tmp_path / "part.cnn")
    assert [d.code for d in part.diagnostics if d.severity == "error"] == []


def proposed(text: str) -> list[str]:
    """What is proposed where the text has its `¦`."""
    at = text.index("¦")
    whole = "input 3x8x8\n" + text.replace("¦", "")
    return [p.text for p in complete(Document(whole, None), at + len("input 3x8x8\n"))]


def test_what_is_proposed_where() -> None:
    assert "relu" in proposed("add {\n  conv 3 1x1\n|\n  id\n} ¦")
    assert proposed("a: relu\nconv 3 3x3\noutput ¦") == ["a"]
    assert {"he_normal", "zeros"} <= set(proposed("conv 8 3x3 init=¦"))
    assert "eps=" in proposed("conv 8 3x3 bn ¦")
    assert proposed("train {\n  data ¦")[:1] == ["cifar10"]
    assert proposed("¦").count("input") == 1


def test_words_of_a_recipe_are_told() -> None:
    text = "input 3x8x8; gap; dense 10\ntrain { augment flip crop=4; optimizer sgd lr=0.1 }"

    def told(word: str) -> str:
        return hover(Document(text, None), text.index(word) + 1) or ""

    assert "shifts by up to so many pixels" in told("crop")
    assert "adam" in told("optimizer")
    assert "learning rate" in told("lr")
    assert told("augment").startswith("Random changes")


def test_names_of_used_files_are_known(tmp_path: Path) -> None:
    (tmp_path / "deep.cnn").write_text("let w = 4\n")
    (tmp_path / "part.cnn").write_text('use "deep.cnn"\nblock unit(c) { conv c 3x3 same }\n')
    text = 'use "part.cnn"\ninput 3x8x8\nlet z = 3\nunit w\nunit z '
    document = Document(text, tmp_path / "main.cnn")
    at = text.index("unit w")
    assert {"unit"} <= {p.text for p in complete(document, at)}
    assert {"w", "z", "c=", "relu"} <= {p.text for p in complete(document, len(text))}
    assert "block of line 2 of" in (hover(document, at + 1) or "")
    name = document.names.at(at + 5)
    found = document.names.definition(name) if name else None
    assert found is not None
    assert found.name.span.source.path == tmp_path / "deep.cnn"
    assert not document.names.is_own(found)


def test_a_label_that_names_an_output_is_seen() -> None:
    document = Document("input 8; a: relu; b: relu; output a; gap; add b", None)
    known = document.names.top.known
    assert document.names.is_output(known["a"])
    assert not document.names.is_output(known["b"])
