"""Inference by faster convolutions where they win; everything else stays as ONNX has it."""

from cnndsl.graph.passes.pool_first import pool_first
from cnndsl.graph.tape import Tape
from cnndsl.lower.conv.representation import best_choices
from cnndsl.lower.conv.table import check_plan
from cnndsl.lower.driver import Lowering, Plan


def lower_inference(tape: Tape, plan: Plan) -> tuple[Tape, dict[str, str]]:
    """The lowered tape, and the algorithm of each convolution that is not ONNX's own.

    `plan` names what is taken; "auto" is what costs least. The very tape where nothing is won.
    UserError where the batch is symbolic.
    """
    check_plan(plan, "infer")
    pooled = pool_first(tape)
    choices = best_choices(pooled, plan)
    if not choices:
        return tape, choices
    lowering = Lowering(pooled, Plan("direct", tuple(choices.items())), {}, "infer")
    lowering.run()
    lowering.tape.outputs = {name: lowering.nchw(v) for name, v in pooled.outputs.items()}
    return lowering.tape, choices
