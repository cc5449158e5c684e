"""The site builds without a warning, has every code and layer, and loads nothing from elsewhere."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from documents import ROOT

from cnndsl.layers import vocabulary
from cnndsl.report.manual import code_title, codes

pytestmark = pytest.mark.slow

LOADS = re.compile(
    r"""<(?:script|img|iframe|source)\b[^>]*\bsrc=["']?([^"'\s>]+)"""
    r"""|<link\b(?![^>]*rel=["']?canonical)[^>]*\bhref=["']?([^"'\s>]+)"""
    r"""|@import\s+(?:url\()?["']?([^"')\s]+)|\burl\(["']?([^"')]+)"""
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site; a warning, such as a link that leads nowhere, fails."""
    folder = tmp_path_factory.mktemp("site")
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(folder)]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def html(site: Path, address: str) -> str:
    """A page by its address."""
    return (site / address / "index.html").read_text(encoding="utf-8")


def test_every_code_has_a_page_and_a_line_in_the_index(site: Path):
    index = html(site, "diagnostics")
    for code in codes():
        assert f'<a href="{code}/"><code>{code}</code></a>' in index
        title = code_title(code).split("`")[0]
        assert title[1:] in html(site, f"diagnostics/{code}")


def test_every_layer_has_its_manual(site: Path):
    index = html(site, "layers")
    for word, cls in vocabulary().items():
        family = cls.__module__.rpartition(".")[2]
        assert f'href="{family}/#{word}"' in index
        assert f'<h2 id="{word}">' in html(site, f"layers/{family}")


def test_every_spec_has_a_page(site: Path):
    for spec in (ROOT / "specs").glob("*.cnn"):
        assert spec.stem in html(site, f"examples/{spec.stem}")


def test_specs_are_coloured_whatever_the_info_string_says(site: Path):
    page = html(site, "diagnostics/E202")
    assert 'class="wrong highlight"' in page
    assert 'class="right highlight"' in page
    assert page.count('<span class="nf">dense</span>') == 2
    for address in site.rglob("*.html"):
        assert "```" not in re.sub(r"<code>.*?</code>", "", address.read_text(), flags=re.DOTALL)


def test_codes_in_messages_lead_to_their_pages(site: Path):
    assert re.search(r'error\[<a href="\.\./diagnostics/E202/">E202</a>\]', html(site, "tutorial"))


def test_nothing_is_loaded_from_elsewhere(site: Path):
    files = [f for f in site.rglob("*") if f.suffix in (".html", ".css")]
    assert len(files) > 100
    for file in files:
        for match in LOADS.finditer(file.read_text(encoding="utf-8")):
            target = next(filter(None, match.groups()))
            assert not re.match(r"(?:\w+:)?//", target), f"{file}: {target}"
