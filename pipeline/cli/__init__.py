"""The command line: `dreamreel`. Exit status 0 done, 1 a user's mistake, 2 wrong usage, 3 our bug, 130 stopped."""

from __future__ import annotations

import sys
import traceback

import typer
from rich.console import Console

from pipeline.cli import atlas, check, dream, extract, layers, plot, presets, render, runs, stages
from pipeline.errors import PipelineError

app = typer.Typer(
    help="Renders the dreams of neural networks: endless zooms, loops, pictures and footage, from one YAML preset.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command("render")(render.render_command)
app.command("resume")(render.resume_command)
app.command("info")(runs.info_command)
app.command("assemble")(runs.assemble_command)
app.command("extract")(extract.command)
app.command("plot")(plot.command)
app.command("dream")(dream.dream_command)
app.command("visualise")(dream.visualise_command)
app.command("atlas")(atlas.command)
app.command("check")(check.command)
app.command("presets")(presets.command)
app.command("layers")(layers.command)
app.command("stages")(stages.command)


def main() -> None:
    """Run the command line; every outcome has its exit status."""
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    try:
        app(prog_name="dreamreel")
    except PipelineError as error:
        for line in str(error).splitlines():
            console.print(line, style="red" if console.is_terminal else None, markup=False)
        sys.exit(1)
    except ImportError as error:
        if "shared object" not in str(error):
            raise
        console.print(f"a library of the system is missing: {error}", markup=False)
        console.print("if it is OpenCV's libGL: pip uninstall opencv-python; pip install opencv-python-headless")
        sys.exit(1)
    except KeyboardInterrupt:
        console.print("stopped")
        sys.exit(130)
    except Exception:
        traceback.print_exc()
        console.print("This is a bug in dreamreel: please report the lines above with your preset.")
        sys.exit(3)
