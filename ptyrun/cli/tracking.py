"""How is a session in the background begun on the command line, and told?"""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ptyrun.cli.saying import say
from ptyrun.errors import UsageError
from ptyrun.host.children import ptyrun_words

if TYPE_CHECKING:
    from ptyrun.background.tracked import TrackedProcess


def tell(tracked: TrackedProcess, folder: Path) -> None:
    """Say which process was started, and what to do next."""
    say(f"started PID {tracked.pid} on {tracked.host} at {tracked.started_at}")
    say(f"process began {tracked.process_started_s:.2f} s after boot {tracked.boot_id}")
    say(f"log      {folder / tracked.log}")
    say(f"command  {shlex.join(tracked.argv)}")
    say(f"next     ptyrun wait {shlex.quote(str(folder))}")


def require_own_session() -> None:
    """See that this process leads a process session: all of it may be ended."""
    if os.getsid(0) != os.getpid():
        raise UsageError(
            "this process does not lead a process session of its own",
            why="`ptyrun stop` ends all processes of the session, and these would be others' too",
            do="put `setsid -w` before it; systemd and containers give each service its own",
        )


def carry_own_token() -> None:
    """Begin again with a token in the environment, which is how `ptyrun stop` knows a session."""
    from ptyrun.background import proof

    pid = os.getpid()
    if proof.own_token(pid) is None:
        environment = {**os.environ, proof.TOKEN: f"{pid}-{proof.new_token()}"}
        words = ptyrun_words(*sys.argv[1:])
        os.execve(words[0], words, environment)
