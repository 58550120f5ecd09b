"""The command line: `dreamreel`. Exit status 0 done, 1 a user's mistake, 2 wrong usage, 3 our bug, 130 stopped.

Nothing is imported here before it is needed: a signal in the first moment finds somebody who listens.
"""


def main() -> None:
    """Run the command line; every outcome has its exit status."""
    import _signal  # type: ignore[import-not-found]  # built in, while signal has imports of its own

    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)  # ends without a traceback, until there is a handler
    import sys

    from pipeline.cli import stopping, streams
    from pipeline.statuses import STOPPED

    stopping.obey()
    streams.take_over()
    try:
        status = _run(sys.argv[1:])
    except KeyboardInterrupt:  # while an error was told
        status = STOPPED
    stopping.obey_by_default()
    sys.exit(status)


def _run(arguments: list[str]) -> int:
    import os
    import sys

    from pipeline.statuses import STOPPED

    try:
        os.getcwd()
    except OSError:
        print("dreamreel: the current folder is gone, or may not be looked at; cd to another one", file=sys.stderr)
        return 1
    try:
        from pipeline.cli.commands import run_command

        return run_command(arguments)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return STOPPED
    except Exception as error:
        import traceback

        from pipeline.plugins import culprit

        traceback.print_exc()
        whose = culprit(error) or "dreamreel"
        print(f"This is a bug in {whose}: please report the lines above with your preset.", file=sys.stderr)
        return 3
