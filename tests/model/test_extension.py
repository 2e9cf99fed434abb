"""A new kind is its class in the family's file and its word: every property test takes it up by itself."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.settings import ROOT

NORM = '''

class MaxNorm(nn.Module):
    """y = x / (max |x| + 1) over {axes}."""

    def __init__(self, width: int, options: None) -> None:
        super().__init__()

    def forward(self, x: Float[Tensor, "*axes D"]) -> Float[Tensor, "*axes D"]:
        """Normalises."""
        return x / (x.abs().amax({axes}, keepdim=True) + 1)


NORMS["maxnorm"] = MaxNorm
'''


def with_a_norm(root: Path, axes: str) -> None:
    """A copy of model and tests with one norm more."""
    for part in ("src", "tests", "presets"):
        shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("params.yaml", "pyproject.toml"):
        shutil.copy(ROOT / file, root)
    norm, config = (root / "src/reprolm/model" / name for name in ("norm.py", "config.py"))
    norm.write_text(norm.read_text() + NORM.format(axes=axes))
    old = 'norm: Literal["rmsnorm", "layernorm", "none"]'
    assert old in config.read_text()
    config.write_text(config.read_text().replace(old, old.replace('"none"', '"maxnorm", "none"')))


def property_tests(root: Path) -> subprocess.CompletedProcess[str]:
    """Those of the new norm, with one word of each other family."""
    command = [sys.executable, "-m", "pytest", "tests/model", "-q", "-rA", "-o", "addopts="]
    command += ["-p", "no:cacheprovider", "-k", "maxnorm and (pre-rope-relu2 or by_heart)"]
    environment = os.environ | {"PYTHONPATH": str(root / "src")}
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)


def test_a_norm_that_is_right_passes_the_tests_that_nobody_wrote_for_it(tmp_path: Path) -> None:
    with_a_norm(tmp_path, axes="-1")
    done = property_tests(tmp_path)
    assert done.returncode == 0, done.stdout
    for test in (
        "changes_no_logit",
        "no_gradient_flows",
        "reading_in_parts",
        "first_loss",
        "learned_by_heart",
    ):
        assert any(test in line and line.startswith("PASSED") for line in done.stdout.splitlines()), test


def test_a_norm_that_looks_ahead_is_caught(tmp_path: Path) -> None:
    with_a_norm(tmp_path, axes="(-2, -1)")
    done = property_tests(tmp_path)
    assert done.returncode == 1
    failed = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
    assert any("changes_no_logit" in line for line in failed)
    assert any("no_gradient_flows" in line for line in failed)
