"""The modules that a stage reaches by imports, and the sections that it reads.

`make deps` writes the code dependencies of every stage into dvc.yaml; a test compares them.
"""

import ast
from pathlib import Path
from typing import Any

import ruamel.yaml

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "reprolm"
NUMERICS = "numerics.lock"
APART = ("plan", "progress.py", "tracking")
"""What a stage's result does not depend on: the record of a run, and what it tells its reader."""


def module_path(name: str) -> Path | None:
    """The file of a module of ours."""
    parts = name.split(".")[1:]
    for path in (PACKAGE.joinpath(*parts, "__init__.py"), PACKAGE.joinpath(*parts).with_suffix(".py")):
        if name.split(".", maxsplit=1)[0] == "reprolm" and path.is_file():
            return path
    return None


def imported(path: Path) -> set[Path]:
    """The files of ours that a file imports anywhere in it, with the packages they lie in."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    whole = {".".join(name.split(".")[:i]) for name in names for i in range(1, name.count(".") + 2)}
    found = {module_path(name) for name in whole}
    if "_stage" in names:
        found.add(ROOT / "stages" / "_stage.py")
    return {file for file in found if file is not None}


def closure(path: Path, apart: tuple[Path, ...] = ()) -> set[Path]:
    """Everything of ours that a file reaches, itself included; what lies in `apart` is not entered."""
    reached: set[Path] = set()
    waiting = [path]
    while waiting:
        file = waiting.pop()
        if file in reached or any(file == a or a in file.parents for a in apart):
            continue
        reached.add(file)
        waiting += imported(file)
    return reached


def code_deps(stage: str) -> list[str]:
    """The code dependencies of a stage, relative to the repository, tracking apart."""
    apart = tuple(PACKAGE / name for name in APART)
    return sorted(str(file.relative_to(ROOT)) for file in closure(ROOT / "stages" / f"{stage}.py", apart))


def is_bare(path: Path) -> bool:
    """Whether a package's own file says what the package is and does nothing: no result depends on it."""
    body = ast.parse(path.read_text()).body
    return path.name == "__init__.py" and all(
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in body
    )


def folded(deps: list[str]) -> list[str]:
    """The same with a package for its modules where all of it is there, and without what does nothing.

    Every `dvc` command reads each dependency twice, in dvc.yaml and in dvc.lock: that is most of its time.
    """
    files, folds = set(deps), []
    for package in sorted({Path(dep).parent for dep in deps} - {Path("src/reprolm"), Path("stages")}):
        modules = {str(file.relative_to(ROOT)) for file in (ROOT / package).rglob("*.py")}
        if modules <= files:
            files, folds = files - modules, [*folds, str(package)]
    return sorted([*folds, *(file for file in files if not is_bare(ROOT / file))])


def data_files(deps: list[str]) -> list[str]:
    """What the modules read from their own package besides code: the page's template and style."""
    folders = {(ROOT / dep).parent for dep in deps if dep.startswith("src/reprolm/report/")}
    files = [
        file for folder in folders for file in folder.iterdir() if file.is_file() and file.suffix != ".py"
    ]
    return sorted(str(file.relative_to(ROOT)) for file in files)


def third_party(path: Path) -> set[str]:
    """The top-level names that a file imports from elsewhere."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module.split(".")[0])
    return names


def sections_read(stage: str) -> set[str]:
    """The parameters that a stage script asks for: `stage.section("model", …)`, `stage.number("seed")`."""
    read = set()
    for node in ast.walk(ast.parse((ROOT / "stages" / f"{stage}.py").read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in ("section", "number") and isinstance(node.args[0], ast.Constant):
                read.add(str(node.args[0].value))
            elif node.func.attr == "params" and not node.args:
                read.add("params.yaml:")
    # who reads the whole file depends on the whole file
    return {"params.yaml:"} if "params.yaml:" in read else read


def uses_numerics(deps: list[str]) -> bool:
    """Whether a stage computes with the packages whose versions change bits."""
    change_bits = {"ftfy", "numpy", "regex", "safetensors", "tokenizers", "torch"}
    return any(change_bits & third_party(ROOT / dep) for dep in deps)


def all_code_deps(stage: str) -> list[str]:
    """What `deps:` of a stage holds besides data: code, the files it reads, and the pins that change bits."""
    deps = code_deps(stage)
    found = folded(deps)
    apart = [file for file in data_files(deps) if not {*map(str, Path(file).parents)} & {*found}]
    return ([NUMERICS] if uses_numerics(deps) else []) + found + apart


def is_code(dep: str) -> bool:
    """Whether a dependency is of the kind that this module writes."""
    return dep.startswith(("src/", "stages/")) or dep == NUMERICS


def pipeline() -> dict[str, Any]:
    """dvc.yaml, with its comments."""
    content: dict[str, Any] = ruamel.yaml.YAML().load((ROOT / "dvc.yaml").read_text())
    return content


def write() -> None:
    """Rewrites the code dependencies in dvc.yaml."""
    yaml = ruamel.yaml.YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = 200
    content = pipeline()
    for name, stage in content["stages"].items():
        stage["deps"] = [dep for dep in stage.get("deps") or [] if not is_code(dep)] + all_code_deps(name)
    with (ROOT / "dvc.yaml").open("w") as file:
        yaml.dump(content, file)


if __name__ == "__main__":
    write()
