"""The server: LSP's requests to the functions of this package, by pygls over stdio."""

import re
from pathlib import Path
from typing import Any

from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcInvalidParams
from pygls.lsp.server import LanguageServer
from pygls.uris import to_fs_path

from cnndsl.fmt import formatted
from cnndsl.fmt.annotate import listed, shapes_by_line
from cnndsl.lints.fixing import fixed
from cnndsl.lsp.complete import complete
from cnndsl.lsp.document import Document
from cnndsl.lsp.hover import hover
from cnndsl.lsp.names import Definition, Names, taken_words
from cnndsl.source import Diagnostic, Failed, Fix, Span
from cnndsl.version import version

# whole texts: pygls counts lines by more characters than editors do, and a spec is small
server = LanguageServer("cnndsl", version(), text_document_sync_kind=lsp.TextDocumentSyncKind.Full)

_KINDS = {
    "layer": lsp.CompletionItemKind.Function,
    "word": lsp.CompletionItemKind.Keyword,
    "key": lsp.CompletionItemKind.Property,
    "block": lsp.CompletionItemKind.Module,
    "label": lsp.CompletionItemKind.Reference,
    "value": lsp.CompletionItemKind.Variable,
    "parameter": lsp.CompletionItemKind.Variable,
}
_SYMBOLS = {
    "block": lsp.SymbolKind.Function,
    "label": lsp.SymbolKind.Key,
    "value": lsp.SymbolKind.Constant,
    "parameter": lsp.SymbolKind.Variable,
}
_open: dict[str, tuple[int | None, Document]] = {}


def _document(uri: str) -> Document:
    """The text as the editor has it; worked out once a version."""
    text = server.workspace.get_text_document(uri)
    if uri not in _open or _open[uri][0] != text.version or text.version is None:
        path = to_fs_path(uri) if uri.startswith("file:") else None
        _open[uri] = text.version, Document(_source(text), Path(path) if path else None)
    return _open[uri][1]


def _source(text: Any) -> str:
    """Its text; nothing for a file that is neither open nor there."""
    try:
        return text.source
    except (OSError, ValueError):
        return ""


def _offset(document: Document, position: lsp.Position) -> int:
    return document.offset(position.line, position.character)


def _range(document: Document, span: Span) -> lsp.Range:
    start, end = (lsp.Position(*document.position(o)) for o in (span.start, span.end))
    return lsp.Range(start, end)


# Diagnostics


@server.feature(lsp.TEXT_DOCUMENT_DID_OPEN)
@server.feature(lsp.TEXT_DOCUMENT_DID_CHANGE)
def changed(params: Any) -> None:
    """Say what is wrong with the text now."""
    _publish(params.text_document.uri)


@server.feature(lsp.TEXT_DOCUMENT_DID_SAVE)
def saved(params: lsp.DidSaveTextDocumentParams) -> None:
    """Look at every open text again: any of them may use the file."""
    for uri in [*_open]:
        del _open[uri]
        _publish(uri)


def _publish(uri: str) -> None:
    document = _document(uri)
    found = [_diagnostic(document, d) for d in document.diagnostics]
    server.text_document_publish_diagnostics(lsp.PublishDiagnosticsParams(uri, found))


@server.feature(lsp.TEXT_DOCUMENT_DID_CLOSE)
def closed(params: lsp.DidCloseTextDocumentParams) -> None:
    """Forget the text."""
    uri = params.text_document.uri
    _open.pop(uri, None)
    server.text_document_publish_diagnostics(lsp.PublishDiagnosticsParams(uri, []))


def _diagnostic(document: Document, d: Diagnostic) -> lsp.Diagnostic:
    error = d.severity == "error"
    text = "\n".join([d.message, *d.notes, *([f"help: {d.help}"] if d.help else [])])
    unused = d.code in ("W101", "W102", "W103", "W105")
    return lsp.Diagnostic(
        _range(document, d.span),
        text,
        severity=lsp.DiagnosticSeverity.Error if error else lsp.DiagnosticSeverity.Warning,
        code=d.code,
        source="cnndsl",
        tags=[lsp.DiagnosticTag.Unnecessary] if unused else None,
    )


# Fixes and layout


@server.feature(
    lsp.TEXT_DOCUMENT_CODE_ACTION,
    lsp.CodeActionOptions([lsp.CodeActionKind.QuickFix, lsp.CodeActionKind.SourceFixAll]),
)
def actions(params: lsp.CodeActionParams) -> list[lsp.CodeAction]:
    """The fixes of what is complained of here, and all safe ones at once."""
    uri, document = params.text_document.uri, _document(params.text_document.uri)
    first, last = (_offset(document, p) for p in (params.range.start, params.range.end))
    found = list[lsp.CodeAction]()
    for d in document.diagnostics:
        if d.fix is not None and d.span.start <= last and first <= d.span.end:
            found.append(_action(uri, document, d, d.fix))
    # asked for at every move of the cursor: tried out only where there is something to fix
    some = any(d.fix and d.fix.safe for d in document.diagnostics)
    whole = fixed(document.source) if some else None
    if whole is not None and whole.count:
        edit = _rewritten(uri, document, whole.source.text)
        kind = lsp.CodeActionKind.SourceFixAll
        found.append(lsp.CodeAction("Fix all that can safely be fixed", kind, edit=edit))
    return found


def _action(uri: str, document: Document, d: Diagnostic, fix: Fix) -> lsp.CodeAction:
    edits = [lsp.TextEdit(_range(document, fix.span), fix.text)]
    return lsp.CodeAction(
        fix.title[:1].upper() + fix.title[1:], lsp.CodeActionKind.QuickFix,
        [_diagnostic(document, d)], is_preferred=fix.safe, edit=lsp.WorkspaceEdit({uri: edits}),
    )  # fmt: skip


def _everything(document: Document) -> lsp.Range:
    return _range(document, Span(document.source, 0, len(document.source.text)))


def _rewritten(uri: str, document: Document, text: str) -> lsp.WorkspaceEdit:
    return lsp.WorkspaceEdit({uri: [lsp.TextEdit(_everything(document), text)]})


@server.feature(lsp.TEXT_DOCUMENT_FORMATTING)
def layout(params: lsp.DocumentFormattingParams) -> list[lsp.TextEdit]:
    """The one layout; nothing where the text does not parse."""
    document = _document(params.text_document.uri)
    try:
        text = formatted(document.source)
    except Failed:
        return []
    return [lsp.TextEdit(_everything(document), text)] if text != document.source.text else []


# What a place means


@server.feature(lsp.TEXT_DOCUMENT_HOVER)
def told(params: lsp.HoverParams) -> lsp.Hover | None:
    """Shape, costs and manual."""
    document = _document(params.text_document.uri)
    text = hover(document, _offset(document, params.position))
    return lsp.Hover(lsp.MarkupContent(lsp.MarkupKind.Markdown, text)) if text else None


@server.feature(lsp.TEXT_DOCUMENT_COMPLETION, lsp.CompletionOptions(trigger_characters=[" "]))
def proposed(params: lsp.CompletionParams) -> list[lsp.CompletionItem]:
    """What can stand here."""
    document = _document(params.text_document.uri)
    found = complete(document, _offset(document, params.position))
    return [lsp.CompletionItem(p.text, kind=_KINDS[p.kind], detail=p.about) for p in found]


@server.feature(lsp.TEXT_DOCUMENT_INLAY_HINT)
def hints(params: lsp.InlayHintParams) -> list[lsp.InlayHint]:
    """Output shapes behind the lines."""
    document = _document(params.text_document.uri)
    if document.model is None:
        return []
    first, last = params.range.start.line, params.range.end.line
    return [
        lsp.InlayHint(_end(document, line - 1), f"→ {listed(shapes)}", padding_left=True)
        for line, shapes in shapes_by_line(document.source, document.model).items()
        if first <= line - 1 <= last
    ]


def _end(document: Document, line: int) -> lsp.Position:
    start = document.source.line_starts[line]
    text = re.sub(r"\s*(#.*)?$", "", document.source.line(line + 1))
    return lsp.Position(*document.position(start + len(text)))


# Names


def _definition(params: Any) -> tuple[Document, Names, Definition | None]:
    document = _document(params.text_document.uri)
    names = document.names
    name = names.at(_offset(document, params.position))
    return document, names, names.definition(name) if name else None


@server.feature(lsp.TEXT_DOCUMENT_DEFINITION)
def defined(params: lsp.DefinitionParams) -> lsp.Location | None:
    """Where a block, parameter, value or label is defined."""
    document, names, found = _definition(params)
    if found is None:
        return None
    span = found.name.span
    if names.is_own(found) or span.source.path is None:
        return lsp.Location(params.text_document.uri, _range(document, span))
    other = Document(span.source.text, span.source.path)
    return lsp.Location(span.source.path.absolute().as_uri(), _range(other, span))


@server.feature(lsp.TEXT_DOCUMENT_REFERENCES)
def used(params: lsp.ReferenceParams) -> list[lsp.Location]:
    """Everywhere that a name is used."""
    document, names, found = _definition(params)
    uri = params.text_document.uri
    places = list(names.references(found)) if found else []
    if found and not params.context.include_declaration:
        places = [place for place in places if place.span != found.name.span]
    return [lsp.Location(uri, _range(document, name.span)) for name in places]


@server.feature(lsp.TEXT_DOCUMENT_PREPARE_RENAME)
def can_rename(params: lsp.PrepareRenameParams) -> lsp.Range | None:
    """The name under the cursor, if it is the file's own."""
    document = _document(params.text_document.uri)
    names = document.names
    name = names.at(_offset(document, params.position))
    found = names.definition(name) if name else None
    own = found is not None and names.is_own(found)
    return _range(document, name.span) if name and own else None


@server.feature(lsp.TEXT_DOCUMENT_RENAME)
def renamed(params: lsp.RenameParams) -> lsp.WorkspaceEdit | None:
    """A name changed wherever it is used; refused where the result would mean something else."""
    document, names, found = _definition(params)
    new = params.new_name
    if found is None:
        return None
    if not names.is_own(found):
        raise JsonRpcInvalidParams(f"`{found.name.id}` is of {found.name.span.source.name}")
    if not re.fullmatch(r"[A-Za-z_]\w{0,63}", new, re.ASCII) or new in taken_words():
        raise JsonRpcInvalidParams(f"`{new}` cannot be a name")
    places = list(names.references(found))
    if any(names.room_at(place.span.start).find(new) for place in places):
        raise JsonRpcInvalidParams(f"`{new}` is defined already")
    if found.kind == "parameter" and "stride" in (found.name.id, new):
        raise JsonRpcInvalidParams("`stride` is what `/2` gives to a block: it cannot be renamed")
    if found.kind == "label" and names.is_output(found):
        raise JsonRpcInvalidParams(f"an output is called `{found.name.id}`: it would change, too")
    edits = [lsp.TextEdit(_range(document, place.span), new) for place in places]
    return lsp.WorkspaceEdit({params.text_document.uri: edits})


@server.feature(lsp.TEXT_DOCUMENT_DOCUMENT_SYMBOL)
def outline(params: lsp.DocumentSymbolParams) -> list[lsp.DocumentSymbol]:
    """Blocks, values and labels of the file."""
    document = _document(params.text_document.uri)
    return [
        lsp.DocumentSymbol(
            found.name.id, _SYMBOLS[found.kind], _range(document, found.node.span),
            _range(document, found.name.span), found.kind,
        )
        for found in document.names.top.known.values()
    ]  # fmt: skip
