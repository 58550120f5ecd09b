"""Exit statuses that say more than done (0) and a mistake (1): for who starts our commands, and for them."""

STOPPED = 130  # by a signal, as shells say it
RESUMABLE = 75  # sysexits.h: EX_TEMPFAIL, which schedulers know
