"""The golden files: a small net behind every pass, as `cnndsl emit` prints it.

    python tests/golden_files.py

writes them anew. A commit that changes one says why.
"""

from functools import cache
from pathlib import Path

from cnndsl.api import load
from cnndsl.graph.pipeline import State, run, verified
from cnndsl.lower.driver import Plan
from cnndsl.report import stages
from cnndsl.report.stages import Graph, inference_graph, step_graph

FOLDER = Path(__file__).parent / "golden"
NET = FOLDER / "net.cnn"


def graphs() -> dict[str, Graph]:
    """Both graphs of the net, by what they are for."""
    model = load(NET).ir
    return {
        "inference": inference_graph(model, batch=1, optimize="cpu", plan=Plan("winograd")),
        "step": step_graph(model, batch=None, micro_batch=None, plan=Plan("direct")),
    }


@cache
def texts() -> dict[str, str]:
    """What should stand in each golden file, by its name; every graph is verified."""
    found = {
        "tokens.txt": stages.tokens(NET),
        "ast.txt": stages.syntax_tree(NET),
        "model.txt": stages.model_text(load(NET).ir),
    }
    for purpose, graph in graphs().items():
        for stage, text in behind_each(graph):
            found[f"{purpose}.{stage.replace(':', '_')}.txt"] = text
    return {name: f"{text}\n" for name, text in found.items()}


def behind_each(graph: Graph) -> list[tuple[str, str]]:
    """The listing behind each pass, which is verified too."""
    found = list[tuple[str, str]]()

    def behind(stage: str, state: State) -> None:
        verified(stage, state)
        found.append((stage, graph.listing(state)))

    run(graph.pipeline, graph.start, behind=behind)
    return found


def recorded() -> dict[str, str]:
    """What stands in the files."""
    return {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.txt")}


def main() -> None:
    """Write all of them, and none besides."""
    for path in FOLDER.glob("*.txt"):
        path.unlink()
    for name, text in texts().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
