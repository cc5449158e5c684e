"""Values of keys as other frameworks write them: truth values and names."""

from cnndsl.syntax import ast


def truth_of(value: ast.Expr, is_flag: bool = True) -> bool | None:
    """The truth value that was written, in any framework's way; 0, 1, yes and no for flags."""
    match value:
        case ast.Bool(_, truth):
            return truth
        case ast.Name(_, "True" | "False" as name):
            return name == "True"
        case ast.Name(_, "yes" | "on" | "no" | "off" as name) if is_flag:
            return name in ("yes", "on")
        case ast.Number(_, 0 | 1 as number) if is_flag:
            return number == 1
        case _:
            return None


def name_of(value: ast.Expr) -> str | None:
    """A bare or quoted name."""
    match value:
        case ast.Name(_, name) | ast.Text(_, name):
            return name
        case _:
            return None
