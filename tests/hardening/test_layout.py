"""Generated nets, messed up and laid out again: idempotent, and the same model to the byte."""

from budget import Figure, count
from hypothesis import HealthCheck, given, settings
from test_fmt import fmt, messy

import cnndsl


def model_bytes(text: str) -> bytes:
    """The compiled model, without the text that it carries along."""
    model = cnndsl.parse(text).to_onnx()
    del model.metadata_props[:]
    for node in model.graph.node:
        node.doc_string = ""
    return model.SerializeToString(deterministic=True)


def test_nets_compile_to_the_same_bytes(figure: Figure) -> None:
    seen = 0

    @settings(max_examples=count(60, 1000), deadline=None, suppress_health_check=list(HealthCheck))
    @given(messy())
    def each(texts: tuple[str, str]) -> None:
        nonlocal seen
        other = texts[1].replace("\r\n", "\n")
        neat = fmt(other)
        assert fmt(neat) == neat
        assert model_bytes(neat) == model_bytes(other)
        seen += 1

    each()
    figure(f"layouts: {seen:,} nets, idempotent, same model bytes")
