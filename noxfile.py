"""The project's sessions. Run as a script it needs nothing but Python:

    python3 noxfile.py demo      # HTML to hello.pdf, through the local emulator
    python3 noxfile.py tests     # the tests

It then makes `.venv` beside itself, installs nox there, and goes on as nox. Under nox it is an ordinary noxfile.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
OLDEST = (3, 11)
NOX = "nox>=2025.5"


def bootstrap(arguments: list[str]) -> int:
    """Becomes nox, in an environment made for it."""
    if sys.version_info < OLDEST:
        version = ".".join(map(str, OLDEST))
        print(f"Python {version} or newer is needed; this is {sys.version.split()[0]}", file=sys.stderr)
        return 2
    environment = HERE / ".venv"
    python = environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not _has_nox(python):
        print(f"making {environment} ...", flush=True)
        shutil.rmtree(environment, ignore_errors=True)
        try:
            subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True, stdout=subprocess.DEVNULL)
        except subprocess.CalledProcessError:
            shutil.rmtree(environment, ignore_errors=True)
            print("this Python cannot make environments; on Debian: apt-get install python3-venv", file=sys.stderr)
            return 2
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", NOX], check=True)
    sessions = arguments[:1] and not arguments[0].startswith("-")
    chosen = ["--session", *_split(arguments)] if sessions else arguments
    command = [str(python), "-m", "nox", "--noxfile", str(HERE / "noxfile.py"), *chosen]
    return subprocess.run(command, cwd=HERE, env={**os.environ, "CLOUDLAYER_BOOTSTRAP": "1"}).returncode


def _split(arguments: list[str]) -> list[str]:
    # `tests` with the running Python only: whoever has just this one wants no word about the others.
    current = f"tests-{sys.version_info.major}.{sys.version_info.minor}"
    end = arguments.index("--") if "--" in arguments else len(arguments)
    return [current if name == "tests" else name for name in arguments[:end]] + arguments[end:]


def _has_nox(python: Path) -> bool:
    if not python.exists():
        return False
    try:
        return subprocess.run([str(python), "-c", "import nox"], stderr=subprocess.DEVNULL).returncode == 0
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(bootstrap(sys.argv[1:]))


import nox  # noqa: E402 (only here, in nox's own environment, is it there)

nox.options.default_venv_backend = "uv|virtualenv"
nox.options.sessions = ["tests", "lint", "types", "generate"]
nox.options.error_on_missing_interpreters = False
PYTHONS = nox.project.python_versions(nox.project.load_toml("pyproject.toml"), max_version="3.14")
PROJECT = nox.project.load_toml("pyproject.toml")


def group(name: str) -> list[str]:
    """The requirements of a dependency group."""
    return list(nox.project.dependency_groups(PROJECT, name))


def install(session: nox.Session, *extras: str) -> None:
    """The project, as its sources stand, with extras; without the default engine where that has no wheel."""
    try:
        session.install("-e", f".[{','.join(extras)}]", "--only-binary", "plutoprint", silent=True)
    except nox.command.CommandFailed:
        session.warn("plutoprint has no wheel for this machine: the emulator needs Chromium here (see the README)")
        session.install("-e", f".[{','.join(extras)}]".replace("emulator", "emulator-chromium"))


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The tests, on each Python there is."""
    install(session, "emulator", "speed", "s3", "progress")
    session.install(*group("test"))
    session.run("pytest", *session.posargs)


@nox.session
def slow(session: nox.Session) -> None:
    """The long forms of tests that have one."""
    install(session, "emulator", "speed", "s3", "progress")
    session.install(*group("test"))
    session.run("pytest", "-m", "slow", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """ruff: rules and form."""
    session.install(*group("lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """mypy --strict and pyright: the package, the typing samples, the README's examples."""
    install(session, "emulator", "speed", "s3", "progress")
    session.install(*group("typing"))
    examples = Path(session.create_tmp()) / "readme"
    shutil.rmtree(examples, ignore_errors=True)
    session.run("python", "tests/readme.py", "write", str(examples))
    session.run("mypy", "--strict", "cloudlayer_async", "tests/typing", str(examples))
    session.run("pyright", "cloudlayer_async", "tests/typing", str(examples))


@nox.session
def generate(session: nox.Session) -> None:
    """The generated modules are those that the sources give. Standard library only."""
    session.run("python", "cloudlayer_async/blocking/generate.py", "--check")


@nox.session(venv_backend="virtualenv")
def lowest(session: nox.Session) -> None:
    """The tests on the oldest dependencies that pyproject.toml allows."""
    oldest = [
        line.partition(";")[0].replace(">=", "==").partition(",")[0] for line in PROJECT["project"]["dependencies"]
    ]
    session.install("-e", ".[emulator]", *oldest, *group("test"))
    session.run("pytest", *session.posargs)


@nox.session
def demo(session: nox.Session) -> None:
    """HTML to hello.pdf, through the local emulator: the README's first example."""
    install(session, "emulator")
    session.run("python", "tests/readme.py", "demo")


@nox.session
def wheel(session: nox.Session) -> None:
    """The built wheel, installed, tested from a folder where the sources are not."""
    session.install("build")
    built = Path(session.create_tmp()) / "dist"
    shutil.rmtree(built, ignore_errors=True)
    session.run("python", "-m", "build", "--wheel", "--outdir", str(built), silent=True)
    (file,) = built.glob("*.whl")
    session.install(f"{file}[emulator,speed,s3,progress]", *group("test"))
    copy = Path(session.create_tmp()) / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir()
    shutil.copytree(HERE / "tests", copy / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "CHANGELOG.md"):
        shutil.copy(HERE / name, copy / name)
    session.chdir(copy)
    session.run("pytest", *session.posargs)


@nox.session
def benchmarks(session: nox.Session) -> None:
    """The measurements, side by side with what they are measured against."""
    session.install("-e", ".[emulator,speed]", "httpx", "requests")
    for script in sorted((HERE / "benchmarks").glob("[a-z]*.py")):
        if script.name != "server.py":
            session.run("python", str(script))
