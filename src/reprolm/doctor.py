"""Whether this machine has what reprolm needs, in lines that say what to type."""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from reprolm import processes

NEEDED_FREE_BYTES = 2 * 10**9


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: a remedy is given where it is not right."""

    subject: str
    found: str
    remedy: str = ""


def _said(*command: str) -> str | None:
    """What a program printed; None if it failed or is not there."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def programs() -> Finding:
    """git and dvc, as a shell finds them."""
    missing = [name for name in ("git", "dvc") if shutil.which(name) is None]
    remedies = {"git": "install git", "dvc": "source .venv/bin/activate"}
    found = f"{', '.join(missing)} not found" if missing else "git, dvc"
    return Finding("programs", found, "; ".join(remedies[name] for name in missing))


def leaks() -> Finding:
    """DVC sets these for its stages; exported in a shell they name another repository or experiment."""
    found = [name for name in ("DVC_ROOT", "DVC_EXP_NAME", "DVC_STAGE") if name in os.environ]
    return Finding(
        "exported by this shell",
        ", ".join(found) or "nothing of DVC's",
        f"unset {' '.join(found)}" if found else "",
    )


def repository() -> Finding:
    """DVC's experiments are commits, and a run's lineage names one."""
    top = _said("git", "rev-parse", "--show-toplevel")
    return Finding("git repository", top or "none here", "" if top else "cd to a clone of reprolm")


def git_identity() -> Finding:
    """DVC's queue commits, and git commits only for somebody."""
    identity = (_said("git", "var", "GIT_COMMITTER_IDENT") or "").rsplit(" ", 2)[0]
    named = identity if _said("git", "config", "user.email") or os.environ.get("GIT_COMMITTER_EMAIL") else ""
    remedy = (
        'git config user.name "Your Name" && git config user.email you@example.com (DVC experiments need it)'
    )
    return Finding("git identity", named or "none", "" if named else remedy)


def python() -> Finding:
    """Stages run under the `python` that a shell finds first, which must be the one with our packages."""
    here, first = Path(sys.prefix), shutil.which("python")
    right = first is not None and Path(first).parent == here / "bin"
    found = f"{platform.python_version()} in {here.name}"
    return Finding(
        "python", found, "" if right else "source .venv/bin/activate (before calling dvc yourself)"
    )


def system() -> Finding:
    """Linux first; macOS without the signal that ends a stage whose parent died; Windows through WSL."""
    name = platform.system()
    remedy = {"Linux": "", "Darwin": "", "Windows": "use WSL: reprolm needs POSIX locks"}.get(
        name, "not tried here"
    )
    return Finding("system", f"{name} {platform.machine()}", remedy)


def cores() -> Finding:
    """More threads than cores slow training down; their number changes bits, so it is never set by itself."""
    count = processes.cores()
    remedy = "dvc exp run -S threads=1 (the default of 2 runs here, slowly)" if count < 2 else ""
    return Finding("processor cores", str(count), remedy)


def disk() -> Finding:
    """Room for data, models and DVC's cache."""
    free = shutil.disk_usage(Path.cwd()).free
    remedy = "" if free >= NEEDED_FREE_BYTES else f"free {NEEDED_FREE_BYTES / 1e9:.0f} GB"
    return Finding("free disk", f"{free / 1e9:.1f} GB", remedy)


def dvc_settings() -> Finding:
    """Two that must stay off.

    With core.autostage, git can miss an edit of params.yaml, and a commit lacks the values of its lock; with
    hydra.enabled, every `dvc exp run` composes params.yaml anew, over edits made by hand.
    """
    listed = _said(sys.executable, "-m", "dvc", "config", "--list")
    if listed is None:
        return Finding("dvc settings", "not readable", "make setup (then dvc config --list says more)")
    # DVC lists the weakest level first
    values = dict(line.split("=", 1) for line in listed.lower().splitlines() if "=" in line)
    on = [name for name in ("core.autostage", "hydra.enabled") if values.get(name) == "true"]
    remedy = " && ".join(f"dvc config --local {name} false" for name in on)
    return Finding("dvc settings", f"{', '.join(on)} on" if on else "as they should be", remedy)


def busy() -> Finding:
    """Outputs that DVC takes for in use by a process that has ended."""
    from reprolm.rwlock import problem
    from reprolm.tracking.location import root

    found = problem(root())
    return Finding(
        "outputs in use", found or "by nobody who has ended", "reprolm doctor --unlock" if found else ""
    )


def unfinished() -> Finding:
    """Checkpoints of trainings that were killed and never begun again."""
    from reprolm.lineage.leftovers import leftovers
    from reprolm.tracking.location import root

    found = leftovers(root())
    size = sum(each.bytes for each in found) / 1e6
    remedy = "reprolm clean names them, and which dvc repro goes on from" if found else ""
    return Finding("unfinished trainings", f"{len(found)}, {size:,.1f} MB" if found else "none", remedy)


LOOKS: tuple[Callable[[], Finding], ...] = (
    system,
    python,
    programs,
    cores,
    disk,
    repository,
    git_identity,
    leaks,
    dvc_settings,
    busy,
    unfinished,
)


def report() -> list[Finding]:
    """Prints what was found, a line each as it is known; returns it."""
    findings = []
    for look in LOOKS:
        finding = look()
        mark, remedy = ("!", f" → {finding.remedy}") if finding.remedy else ("✓", "")
        print(f"{mark} {finding.subject}: {finding.found}{remedy}", flush=True)
        findings.append(finding)
    return findings
