"""Which commands there are, and what becomes of their errors."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import Annotated

import typer

from pipeline.cli import (
    atlas,
    batch,
    branch,
    check,
    deforum,
    dream,
    estimate,
    extract,
    layers,
    learn,
    listen,
    plot,
    presets,
    preview,
    render,
    runs,
    stages,
    streams,
    studio,
    visualise,
)
from pipeline.cli.console import complain
from pipeline.cli.version import print_version
from pipeline.errors import PipelineError

app = typer.Typer(
    help="Render the dreams of neural networks: endless zooms, loops, pictures and footage, from one YAML preset.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command("render")(render.render_command)
app.command("resume")(render.resume_command)
app.command("run")(render.run_command)
app.command("batch")(batch.command)
app.command("branch")(branch.command)
app.command("info")(runs.info_command)
app.command("assemble")(runs.assemble_command)
app.command("extract")(extract.command)
app.command("plot")(plot.command)
app.command("listen")(listen.command)
app.command("studio")(studio.command)
app.command("dream")(dream.dream_command)
app.command("visualise")(visualise.command)
app.command("atlas")(atlas.command)
app.command("learn")(learn.command)
app.command("preview")(preview.command)
app.command("estimate")(estimate.command)
app.command("check")(check.command)
app.command("presets")(presets.command)
app.command("deforum")(deforum.command)
app.command("layers")(layers.command)
app.command("stages")(stages.command)

# What these make lies in files: that nobody hears what they say is no failure of theirs.
_MAKERS = (
    "render",
    "resume",
    "run",
    "batch",
    "branch",
    "preview",
    "assemble",
    "plot",
    "dream",
    "visualise",
    "atlas",
    "learn",
)


def _version(wanted: bool) -> None:
    if wanted:
        print_version()
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_version,
            is_eager=True,
            help="Show all versions that matter.",
        ),
    ] = False,
) -> None:
    """Options of dreamreel itself."""


def run_command(arguments: Sequence[str]) -> int:
    """Run a command to its exit status. Raises what is neither a user's mistake nor the machine's."""
    status = _attempt(arguments)
    failure = streams.output_failure()
    if failure is None or status != 0 or (arguments and arguments[0] in _MAKERS and "--help" not in arguments):
        return status
    if failure.errno != errno.EPIPE:  # a reader that has enough, such as `head`, wants no words
        complain(f"standard output can't be written to: {failure.strerror}")
    return 1


def _attempt(arguments: Sequence[str]) -> int:
    try:
        returned = app(list(arguments), prog_name="dreamreel", standalone_mode=False)
        return returned if isinstance(returned, int) else 0
    except PipelineError as error:
        complain(str(error))
    except OSError as error:  # of the user's files and folders, where no command has put it in words of its own
        named = "" if error.filename is None else f"{error.filename}: "
        complain(f"{named}{error.strerror or error}; check that it is there and that you may use it, or name another")
    except MemoryError:
        complain("out of memory; set `memory` lower, or use a smaller picture or fewer octaves")
    except ImportError as error:
        if "shared object" not in str(error):
            raise
        complain(f"a library of the system is missing: {error}")
        complain("if it is OpenCV's libGL: pip uninstall opencv-python; pip install opencv-python-headless")
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        return _explain_usage(error)
    return 1


def _explain_usage(error: Exception) -> int:
    """Say what is wrong with the words after `dreamreel`. Typer gives its errors no public name, but these parts."""
    context = getattr(error, "ctx", None)
    command = "dreamreel" if context is None else context.command_path
    said = str(error.format_message())  # type: ignore[attr-defined]
    if said:
        complain(f"{command}: {said[:1].lower()}{said[1:]}")
        complain(f"`{command} --help` shows what it takes")
    return int(getattr(error, "exit_code", 2))
