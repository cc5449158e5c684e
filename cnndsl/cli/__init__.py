"""The command line: thin, lazy, one file a command. Parses options and prints; no logic."""

import os
import sys
from importlib import import_module
from typing import Any, NoReturn

import click

from cnndsl.cli.defaults import name_variables, project_defaults
from cnndsl.source import Failed, UserError, command_line, printable

COMMANDS = {
    "check": "find every mistake of a spec, count its parameters",
    "init": "start from a published network",
    "fmt": "bring specs into the one layout; show shapes; unroll blocks",
    "summary": "table of layers: shapes, parameters, MACs, receptive fields",
    "graph": "draw a network: SVG, HTML, PNG, PDF, DOT, Mermaid",
    "diff": "what changes from one spec to another",
    "compile": "write an ONNX graph",
    "decompile": "an ONNX graph back to a spec",
    "run": "classify pictures with a compiled model",
    "train": "train a spec on stock onnxruntime",
    "search": "look for the best of what a spec varies",
    "eval": "score a trained run",
    "bench": "time inference and the training step",
    "weights": "what a file of weights holds, and which of it a spec takes",
    "lsp": "the language server, for editors",
    "layers": "the manual of the language's words",
    "explain": "what a diagnostic means and how to mend it",
    "emit": "print a stage of the compiler",
    "completion": "complete commands and options in bash, zsh, fish",
    "doctor": "what of the runtime is installed and works",
}
ALIASES = {"predict": "run"}
OF_OTHER_TOOLS = {
    "fit": "train", "finetune": "train", "export": "compile", "build": "compile", "onnx": "compile",
    "convert": "decompile", "import": "decompile", "evaluate": "eval", "test": "eval",
    "val": "eval", "validate": "check", "lint": "check", "verify": "check", "format": "fmt",
    "infer": "run", "classify": "run", "detect": "run", "plot": "graph", "draw": "graph",
    "show": "summary", "info": "summary", "stats": "summary", "new": "init", "create": "init",
    "benchmark": "bench", "profile": "bench", "docs": "layers", "manual": "layers", "man": "layers",
    "env": "doctor", "version": "--version", "sweep": "search", "tune": "search",
    "optimize": "search", "hpo": "search",
}  # fmt: skip


class _HadEnough(Exception):  # noqa: N818
    """The reader of a pipe has closed it, which is not an error; click would take it for one."""


class Lazy(click.Group):
    """Imports a command's module when it is used, so that start-up stays short."""

    def invoke(self, ctx: click.Context) -> Any:
        """As click's."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise _HadEnough from None

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All commands, in the order of use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command's own module."""
        name = ALIASES.get(cmd_name, cmd_name)
        if name not in COMMANDS:
            return None
        command = import_module(f"cnndsl.cli.{name}").command
        name_variables(name, command)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """As click's, with the nearest command for a misspelt one."""
        from cnndsl.fields import nearest

        known = {*COMMANDS, *ALIASES}
        if args and args[0] not in known and not args[0].startswith("-"):
            close = OF_OTHER_TOOLS.get(args[0].lower()) or nearest(args[0], known)
            hint = f" Did you mean `{close}`?" if close else ""
            ctx.fail(f"No such command `{args[0]}`.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _version(ctx: click.Context, param: click.Parameter, wanted: bool) -> None:
    from cnndsl.version import LANGUAGE, version

    if wanted:
        click.echo(f"cnndsl {version()}, language version {LANGUAGE}")
        ctx.exit()


@click.group(
    cls=Lazy,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "CNNDSL"},
)
@click.option("--version", is_flag=True, is_eager=True, callback=_version,
              expose_value=False, help="Print the version and leave.")  # fmt: skip
@click.option("--debug", is_flag=True, help="Show tracebacks of internal errors.")
@click.pass_context
def group(ctx: click.Context, debug: bool) -> None:
    """Convolutional networks as a few lines of text: check, compile, run."""
    called = ctx.invoked_subcommand
    command = called and group.get_command(ctx, called)
    if called and command:
        found = project_defaults(ALIASES.get(called, called), command, {*COMMANDS})
        ctx.default_map = {called: found}


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line; exit 0 ok, 1 diagnostics, 2 usage, 70 internal error, 130 SIGINT."""
    given = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in given or os.environ.get("CNNDSL_DEBUG", "") not in ("", "0", "false")
    for name in ("stdout", "stderr"):  # closed by the caller, as `>&-` does
        setattr(sys, name, getattr(sys, name) or open(os.devnull, "w"))  # noqa: SIM115
    if reconfigure := getattr(sys.stdout, "reconfigure", None):
        reconfigure(errors="replace")  # what a terminal cannot show becomes `?`
    try:
        with command_line():
            code = group.main(given, prog_name="cnndsl", standalone_mode=False)
        if not sys.stdout.closed:  # as the language server leaves it
            sys.stdout.flush()
        sys.exit(code if isinstance(code, int) else 0)
    except (BrokenPipeError, _HadEnough):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except (KeyboardInterrupt, click.Abort):
        _leave("interrupted", 130)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except UserError as error:
        _leave(f"error: {error}", 2)
    except Failed as failed:
        _show_failed(failed)
        sys.exit(1)
    except (OSError, MemoryError) as error:
        _leave(f"error: {str(error) or 'there is not enough memory'}", 2)
    except Exception as error:
        if debug:
            raise
        _leave(
            f"internal error: {type(error).__name__}: {error}\n"
            "This is a bug of cnndsl. `cnndsl --debug …` shows where.", 70,
        )  # fmt: skip


def _leave(message: str, code: int) -> NoReturn:
    """The message without control characters, which a name from a spec may hold."""
    click.echo(printable(message), err=True)
    sys.exit(code)


def _show_failed(failed: Failed) -> None:
    from cnndsl.cli.common import style
    from cnndsl.report.diagnostics import full

    click.echo(full(failed.diagnostics, style(sys.stderr)), err=True, color=True)
