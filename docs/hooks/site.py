"""What MkDocs asks of us while it builds the site: pages, navigation, fences, links, colours."""

import re
from pathlib import Path
from posixpath import normpath, relpath
from typing import Any

import generated
from generated import HOME, ROOT, SOURCES
from mkdocs.structure.files import File

FENCED = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
FENCE = re.compile(r"^```(cnn|python) (.+)$", re.MULTILINE)
LINK = re.compile(r"(!?\[(?:[^\[\]]|\[[^\]]*\])*\])\(([^)#\s]*)(#[^)]*)?\)")
TABLE_CODE = re.compile(r"^\|.*\|$", re.MULTILINE)
CODE = re.compile(r"(<a [^>]*>)?<code>([EW]\d{3})</code>")
LINE = re.compile(r'(?m)((?:^|<span class="go">))(?:(---|\+\+\+|@@) |([-+]))([^<\n]*)')
SECTIONS = {"specs": "examples/index.md", "cnndsl/pages": "diagnostics/index.md"}
OUTPUT = re.compile(r"<pre>.*?</pre>", re.DOTALL)


def on_config(config: Any) -> Any:
    """Fill the places of the navigation that are kept for generated pages."""
    config.nav = [_filled(entry) for entry in config.nav]
    config.watch += [str(ROOT / "README.md"), str(ROOT / "cnndsl"), str(ROOT / "specs")]
    return config


def _filled(entry: Any) -> Any:
    ((title, value),) = entry.items()
    if isinstance(value, list):
        return {title: [_filled(inner) for inner in value]}
    return {title: generated.NAVIGATION[value]() if value in generated.NAVIGATION else value}


def on_files(files: Any, config: Any) -> Any:
    """Add the generated pages."""
    for uri, text in generated.pages().items():
        files.append(File.generated(config, uri, content=text))
    return files


# Markdown


def on_page_markdown(text: str, page: Any, **_: Any) -> str:
    """GitHub's Markdown to that of the site: fences, tables, links out of `docs`."""
    uri = page.file.src_uri
    origin = SOURCES.get(uri) or (None if page.file.generated_by else f"docs/{uri}")
    parts = FENCED.split(re.sub(r"^<!-- .*? -->\n", "\n", text, flags=re.MULTILINE))
    for i, part in enumerate(parts):
        if part.startswith("```"):
            parts[i] = FENCE.sub(_fence, part)
        else:
            prose = TABLE_CODE.sub(lambda m: _bare_pipes(m[0]), part)
            parts[i] = LINK.sub(lambda m: _link(m, uri, origin), prose) if origin else prose
    if uri == "index.md":
        page.meta["hide"] = ["navigation"]
        page.meta["title"] = "cnndsl"
        parts[0] = f"{parts[0].rstrip()}\n{{ .lead }}{HOME}"
    return "".join(parts)


def _fence(match: re.Match[str]) -> str:
    """`cnn wrong 3:1` says what a test expects; here it is a class, a file name, a marked line."""
    language, words = match[1], match[2].split()
    options = [f".{language}"]
    options += [f".{word}" for word in words if word in ("right", "wrong")]
    options += [f'title="{word}"' for word in words if word.endswith(".cnn")]
    place = re.fullmatch(r"(?:cnn )?wrong (\d+):\d+", f"{language} {match[2]}")
    if place:
        options.append(f'hl_lines="{place[1]}"')
    return f"``` {{ {' '.join(options)} }}"


def _bare_pipes(row: str) -> str:
    """In code of a table, GitHub wants `\\|` and Python-Markdown `|`."""
    return re.sub(r"`[^`]*`", lambda m: m[0].replace("\\|", "|"), row)


def _link(match: re.Match[str], uri: str, origin: str) -> str:
    """A link between files of the repository as one between pages; only its text where none is."""
    label, target, anchor = match[1], match[2], match[3] or ""
    if not target or ":" in target:
        return match[0]
    place = _place(normpath(f"{Path(origin).parent.as_posix()}/{target}"))
    if place is None:
        return label[1:-1]
    if label.endswith((".md]", "/]")):  # a path says nothing to those who see no files
        label = f"[{generated.title(place)}]"
    return f"{label}({relpath(place, Path(uri).parent.as_posix())}{anchor})"


def _place(path: str) -> str | None:
    """Where a file of the repository stands in the site."""
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    if path in SECTIONS:
        return SECTIONS[path]
    if path.startswith("specs/"):
        return f"examples/{Path(path).stem}.md"
    return next((uri for uri, source in SOURCES.items() if source == path), None)


# HTML


def on_page_content(html: str, page: Any, files: Any, **_: Any) -> str:
    """Codes lead to their pages; what `check` says is coloured as on a terminal."""

    def address(code: str) -> str | None:
        file = files.get_file_from_path(f"diagnostics/{code}.md")
        return file.url_relative_to(page.file) if file and file is not page.file else None

    def linked(match: re.Match[str]) -> str:
        url = address(match[2])
        return match[0] if match[1] or url is None else f'<a href="{url}">{match[0]}</a>'

    def coloured(match: re.Match[str]) -> str:
        return _coloured(match[0], address)

    return OUTPUT.sub(coloured, CODE.sub(linked, html))


def _coloured(block: str, address: Any) -> str:
    def head(match: re.Match[str]) -> str:
        url = address(match[2])
        code = f'<a href="{url}">{match[2]}</a>' if url else match[2]
        return f'<span class="said-{match[1]}">{match[1]}[{code}]</span>'

    found, count = re.subn(r"\b(error|warning)\[([EW]\d{3})\]", head, block)
    if count:
        found = re.sub(
            r"(?m)(^|>)(  (?:help|note):)", r'\1<span class="said-word">\2</span>', found
        )
        found = re.sub(r"\^+", r'<span class="said-place">\g<0></span>', found)
    return _coloured_difference(found) if "@@ -" in found else found


def _coloured_difference(block: str) -> str:
    def line(match: re.Match[str]) -> str:
        name = "file" if match[2] else "minus" if match[3] == "-" else "plus"
        text = match[0].removeprefix(match[1])
        return f'{match[1]}<span class="said-{name}">{text}</span>'

    return LINE.sub(line, block)
