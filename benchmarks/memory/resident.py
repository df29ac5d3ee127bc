"""The memory of processes, as Linux counts it."""

from __future__ import annotations

from pathlib import Path


def resident(pid: int | str = "self") -> dict[str, int]:
    """Bytes in memory: `now`, `peak`; `anonymous`: without mapped files, which others may share."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    fields = {name: said.split() for name, _, said in (line.partition(":") for line in lines)}
    names = {"now": "VmRSS", "peak": "VmHWM", "anonymous": "RssAnon"}
    return {ours: 1024 * int(fields[theirs][0]) for ours, theirs in names.items()}


def own_anonymous(pid: int) -> int:
    """Bytes of anonymous memory; of a page shared by k processes, the k-th part."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    [said] = (line.split() for line in lines if line.startswith("Pss_Anon:"))
    return 1024 * int(said[1])


def forget_peak() -> None:
    """The peak of this process begins again, with what it has now."""
    Path("/proc/self/clear_refs").write_text("5")
