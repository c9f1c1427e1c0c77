"""How is each command called? Two examples, which stand at the end of its help."""

from __future__ import annotations

EXAMPLES: dict[str, tuple[str, str]] = {
    "compare": (
        "ptyrun compare --arm name=a,reconstruction=a.h5 --arm name=b,reconstruction=b.h5 "
        "--test-data scan.npz --output-dir RUN",
        "ptyrun compare --config comparison.toml --window 170s",
    ),
    "plan": (
        "ptyrun plan --config comparison.toml --dry-run",
        "ptyrun plan --pinn-dir pinn --baseline-dir baseline --test-data scan.npz --output-dir RUN",
    ),
    "run": ("ptyrun run RUN --window 170s", "ptyrun run RUN --workers 3 --until-complete"),
    "status": ("ptyrun status RUN --watch", "ptyrun status RUN --json"),
    "preview": ("ptyrun preview RUN", "ptyrun preview RUN --output FOLDER"),
    "verify": ("ptyrun verify RUN", "ptyrun verify RUN --level size --repair"),
    "finalize": ("ptyrun finalize RUN", "ptyrun finalize RUN --force --window 170s"),
    "report": ("ptyrun report RUN --open", "ptyrun report RUN --watch --every 10s"),
    "export": (
        "ptyrun export RUN --output results.h5",
        "ptyrun export RUN --output results.csv --overwrite",
    ),
    "prune": ("ptyrun prune RUN", "ptyrun prune RUN --undo"),
    "start": (
        "ptyrun start RUN --window 170s",
        "ptyrun start RUN --notify-command 'notify-send \"$PTYRUN_RUN: $PTYRUN_STATE\"'",
    ),
    "wait": ("ptyrun wait RUN", "ptyrun wait RUN --timeout 10m"),
    "stop": ("ptyrun stop RUN", "ptyrun stop RUN --grace 60s"),
    "logs": ("ptyrun logs RUN -f", "ptyrun logs RUN -n 100"),
    "doctor": ("ptyrun doctor", "ptyrun doctor FOLDER"),
    "inspect": ("ptyrun inspect scan.cxi model.h5", "ptyrun inspect scan.npz --json"),
    "convert": (
        "ptyrun convert scan.cxi --to scan.npz",
        "ptyrun convert product.h5 --as reconstruction --to object.npz --overwrite",
    ),
    "completion": (
        'eval "$(ptyrun completion bash)"',
        "ptyrun completion fish > ~/.config/fish/completions/ptyrun.fish",
    ),
    "study init": ("ptyrun study init", "ptyrun study init study.toml --hub HUB --dose 1000"),
    "study plan": ("ptyrun study plan", "ptyrun study plan --hub HUB --base-npz base.npz --json"),
    "study run": (
        "ptyrun study run --hub HUB --base-npz base.npz --dose 1000 --window 170s",
        "ptyrun study run --config study.toml --upto comparisons --until-complete",
    ),
    "study start": (
        "ptyrun study start --hub HUB --window 170s",
        "ptyrun study start --config study.toml --jobs 2",
    ),
    "study stage": (
        "ptyrun study stage simulate-dose_1000 --hub HUB",
        "ptyrun study stage compare-dose_1000-dense-train --hub HUB --trust-model pinn",
    ),
    "study status": ("ptyrun study status --hub HUB", "ptyrun study status --hub HUB --json"),
    "study report": (
        "ptyrun study report --hub HUB",
        "ptyrun study report --hub HUB --output report.md",
    ),
    "study summarize": (
        "ptyrun study summarize --hub HUB",
        "ptyrun study summarize --hub HUB --ms-ssim-threshold 0.85",
    ),
    "study pack": (
        "ptyrun study pack HUB study.zip",
        "ptyrun study pack HUB study.zip --config study.toml",
    ),
    "study unpack": ("ptyrun study unpack study.zip HUB", "ptyrun study unpack study.zip --check"),
    "study sweep": (
        "ptyrun study sweep --hub HUB",
        "ptyrun study sweep --hub HUB --ms-ssim-phase-threshold 0.9",
    ),
    "study verify": (
        "ptyrun study verify --hub HUB --json",
        "ptyrun study verify --hub HUB --dose 1000 --view dense --splits train test",
    ),
}


_WIDEST = 76  # of a terminal of 80, where examples begin in the fifth column


def folded(line: str) -> list[str]:
    r"""Break a long command before an option; it can be copied as it stands.

    Examples
    --------
    >>> print(*folded("ptyrun plan" + " --test-data a-scan-with-a-long-name.npz" * 2), sep="\n")
    ptyrun plan --test-data a-scan-with-a-long-name.npz \
      --test-data a-scan-with-a-long-name.npz
    """
    first, *options = line.split(" --")
    lines = [first]
    for option in options:
        if len(lines[-1]) + len(f" --{option} \\") > _WIDEST:
            lines[-1] += " \\"
            lines.append(" ")
        lines[-1] += f" --{option}"
    return lines


def epilog(path: str, said: str | None) -> str | None:
    r"""Give what stands after the options of the command at *path*: what it *said*, then examples.

    Examples
    --------
    >>> print(epilog("doctor", None).replace("\b", ""))
    <BLANKLINE>
    Examples:
      ptyrun doctor
      ptyrun doctor FOLDER
    """
    if path not in EXAMPLES:
        return said
    # click keeps the lines of a paragraph that begins with this character.
    shown = "\n".join(
        ("\b", "Examples:", *(f"  {each}" for line in EXAMPLES[path] for each in folded(line)))
    )
    return f"{said}\n\n{shown}" if said else shown
