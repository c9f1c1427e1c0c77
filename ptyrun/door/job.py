"""What becomes of a session in the background?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ptyrun.background.control import Observed, Stopped

GRACE_S = 30.0


@dataclass(frozen=True)
class Job:
    """The latest session that was started on a run in the background.

    Parameters
    ----------
    folder : Path
        The run's.
    """

    folder: Path

    def look(self) -> Observed:
        """Say how it is now.

        Returns
        -------
        Observed
            ``ending`` (``exit_code``, ``reason``) is None while it works; ``died`` if it is gone
            without one.

        Raises
        ------
        InputError
            If no background session was ever started on this run.
        """
        from ptyrun.background import control

        return control.observed(self.folder)

    def wait(self, timeout: float | str | None = None) -> Observed:
        """Wait until it is over.

        Parameters
        ----------
        timeout : float or str, optional
            Seconds, or text like ``"10m"``; for ever by default.

        Returns
        -------
        Observed
            Without ``ending`` if it died, or if the time is up.

        Raises
        ------
        InputError
            If no background session was ever started on this run.
        """
        from ptyrun.background import control
        from ptyrun.door.session import seconds

        return control.wait(self.folder, seconds(timeout))

    def stop(self, grace: float | str = GRACE_S) -> Stopped:
        """Ask it to end, then insist; nothing of it is left, and nothing that it committed is lost.

        Parameters
        ----------
        grace : float or str
            Seconds, or text like ``"1m"``, from the request to the kill of all its processes.

        Returns
        -------
        Stopped
            ``was_over`` if it had ended before; ``killed`` has what had to be killed.

        Raises
        ------
        BusyError
            If it works on another host.
        PtyrunError
            If the process cannot be shown to be this session, or cannot be killed.
        """
        from ptyrun.background import control
        from ptyrun.door.session import seconds

        return control.stop(self.folder, seconds(grace) or 0.0)

    def tail(self, lines: int = 20) -> str:
        """Give the last lines of its log.

        Parameters
        ----------
        lines : int
            Number of lines.

        Returns
        -------
        str
            The lines; empty if it writes to a terminal.
        """
        from ptyrun.background.tail import last_lines

        return last_lines(self.folder, self.look().tracked.log, lines)
