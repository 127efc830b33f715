"""The project's sessions. Run as a script, this needs nothing but Python:

    python3 noxfile.py demo             # HTML to hello.pdf, through the local emulator
    python3 noxfile.py tests            # the tests, on the Python that runs this
    python3 noxfile.py tests -- -k pdf  # what follows -- goes to the session's tool
    python3 noxfile.py --list           # the other sessions; an option first means: all this is nox's

It makes `.venv` beside itself, installs nox there, and goes on as nox. Under a nox of your own it is an ordinary noxfile,
whose `tests` runs on every Python there is.
"""

# No `from __future__`, and no syntax newer than Python 3.6: an older Python must come as far as the line that says so.
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import NoReturn

HERE = Path(__file__).resolve().parent
RUNNING = "{}.{}".format(*sys.version_info[:2])

if sys.version_info < (3, 11):  # noqa: UP036 (this is where an older one learns it)
    sys.exit(f"cloudlayer-async needs Python 3.11 or newer; {sys.executable} is Python {RUNNING}.")

NOX = "nox>=2026.8.17"  # the first that takes a pyenv command with no Python behind it for a missing Python
ENVIRONMENT = HERE / ".venv"
PYTHON = ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP = ENVIRONMENT / "made-by-noxfile"


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Other first runs of this file wait here. Not on Windows, where two at once are not provided for."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    with open(__file__, encoding="utf-8") as lock:  # let go of by the system, however this process ends
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def make_environment() -> None:
    """Makes `.venv` with nox in it, unless it is there; one that this file did not make is used and never removed."""
    wanted = f"{NOX}\nPython {sys.version}\n{sys.base_prefix}\n"
    if STAMP.is_file():
        if PYTHON.exists() and STAMP.read_text(encoding="utf-8") == wanted:
            return
        shutil.rmtree(ENVIRONMENT)  # left unfinished, or made by another Python or for another nox
    elif PYTHON.exists():
        if subprocess.run([PYTHON, "-c", "import nox"], stderr=subprocess.DEVNULL).returncode != 0:
            install_nox()
        return
    missing = [module for module in ("venv", "ensurepip") if importlib.util.find_spec(module) is None]
    if missing:
        sys.exit(
            f"{sys.executable} cannot make a virtual environment: it has no {' and no '.join(missing)}.\n"
            "On Debian and Ubuntu: apt-get install python3-venv"
        )
    print(f"Making {ENVIRONMENT}, once ...", flush=True)
    ENVIRONMENT.mkdir(exist_ok=True)
    STAMP.write_text("unfinished\n", encoding="utf-8")
    if subprocess.run([sys.executable, "-m", "venv", ENVIRONMENT]).returncode != 0:
        sys.exit("No virtual environment could be made; the reason is above.")
    install_nox()
    STAMP.write_text(wanted, encoding="utf-8")


def install_nox() -> None:
    """Installs nox into `.venv`."""
    command = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", NOX]
    if subprocess.run(command).returncode != 0:
        sys.exit(f"nox could not be installed into {ENVIRONMENT}; the reason is above.")


def go_on_as_nox(arguments: list[str]) -> NoReturn:
    """Becomes the nox of `.venv`."""
    os.chdir(HERE)  # as nox does; until then a folder `nox` where the caller stands would be taken for it
    with one_at_a_time():
        make_environment()
    if arguments and not arguments[0].startswith("-"):
        end = arguments.index("--") if "--" in arguments else len(arguments)
        # On this Python alone: whoever has two commands and one Python waits for one run and hears of no other.
        names = [f"tests-{RUNNING}" if name == "tests" else name for name in arguments[:end]]
        arguments = ["--session", *names, *arguments[end:]]
    command = [str(PYTHON), "-m", "nox", "--noxfile", str(HERE / "noxfile.py"), *arguments]
    if os.name == "nt":  # there exec comes back to the shell at once
        sys.exit(subprocess.run(command).returncode)
    os.execv(PYTHON, command)


if __name__ == "__main__":
    go_on_as_nox(sys.argv[1:])

import nox  # noqa: E402 (not there before the line above)
import nox.command  # noqa: E402
from packaging.requirements import Requirement  # noqa: E402 (nox brings it)

nox.options.default_venv_backend = "uv|virtualenv"
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = False
nox.options.reuse_venv = "yes"
nox.options.sessions = ["tests", "lint", "types", "generate"]

PROJECT = nox.project.load_toml(HERE / "pyproject.toml")
SUPPORTED = nox.project.python_versions(PROJECT)
PYTHONS = [*SUPPORTED, *({RUNNING} - set(SUPPORTED))]
ENGINE = "plutoprint"
PYTEST = ("python", "-m", "pytest", "--numprocesses", "auto", "--dist", "worksteal")


def group(name: str) -> list[str]:
    """The requirements of a dependency group."""
    return list(nox.project.dependency_groups(PROJECT, name))


def install(session: nox.Session, extras: str, *more: str) -> None:
    """Installs this source tree, editable, with extras and more, unless this environment holds just that already."""
    sources = [HERE / "pyproject.toml", HERE / "cloudlayer_async" / "__init__.py"]
    wanted = "\n".join([str(HERE), extras, *more, *(source.read_text(encoding="utf-8") for source in sources)])
    digest = hashlib.sha256(wanted.encode()).hexdigest()
    stamp = Path(session.virtualenv.location) / "installed"
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == digest:
        session.log("Everything is installed already.")
        return
    install_without_building(session, "-e", f".[{extras}]", *more)
    stamp.write_text(digest, encoding="utf-8")


def install_without_building(session: nox.Session, *arguments: str) -> None:
    """Installs; where the default engine has no wheel, everything but that: Chromium serves there."""
    try:
        session.install(*arguments, "--only-binary", ENGINE)
    except nox.command.CommandFailed:
        session.warn(f"Once more without {ENGINE}, in case it has no wheel for this machine (the README tells more).")
        session.install(*(argument.replace("[emulator", "[emulator-chromium") for argument in arguments))


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The tests, on each Python there is."""
    install(session, "emulator,speed,progress", *group("test"))
    session.run(*PYTEST, *session.posargs)


@nox.session
def slow(session: nox.Session) -> None:
    """The long forms of tests that have one."""
    install(session, "emulator,speed,progress", *group("test"))
    session.run("python", "-m", "pytest", "-m", "slow", *session.posargs)


@nox.session(python=SUPPORTED[0])
def lowest(session: nox.Session) -> None:
    """The tests on the lowest versions that pyproject.toml allows, of the package's own dependencies and its extras'."""
    project = PROJECT["project"]
    allowed = [*project["dependencies"], *chain.from_iterable(project["optional-dependencies"].values())]
    pins = [
        f"{requirement.name}=={clause.version}\n"
        for requirement in map(Requirement, allowed)
        for clause in requirement.specifier
        if clause.operator == ">="
    ]
    constraints = Path(session.virtualenv.location) / "lowest.txt"
    constraints.write_text("".join(pins), encoding="utf-8")
    install(session, "emulator,speed,progress", "-c", str(constraints), *group("test"))
    session.run(*PYTEST, *session.posargs)


@nox.session(reuse_venv=False)
def wheel(session: nox.Session) -> None:
    """The tests on the built wheel with every extra, as installed, from a folder where the sources are not."""
    session.install("build")
    with tempfile.TemporaryDirectory() as folder:
        session.run("python", "-m", "build", "--outdir", folder, silent=True)  # the wheel from the sdist
        (built,) = Path(folder).glob("*.whl")
        install_without_building(session, f"{built}[emulator,speed,s3,progress]", *group("test"), *group("s3"))
        for name in ("pyproject.toml", "README.md"):
            shutil.copy(HERE / name, folder)
        shutil.copytree(HERE / "tests", Path(folder) / "tests", ignore=shutil.ignore_patterns("__pycache__"))
        with session.chdir(folder):
            session.run(*PYTEST, "-m", "not slow and not sources", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """ruff: rules and form."""
    session.install(*group("lint"))
    session.run("ruff", "check", "--output-format", "concise", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """mypy --strict and pyright: the package, the typing samples, the README's examples."""
    install(session, "emulator,speed,s3,progress", *group("typing"))
    with tempfile.TemporaryDirectory() as examples:
        session.run("python", "tests/readme.py", "write", examples)
        checked = ["cloudlayer_async", "noxfile.py", *map(str, sorted(HERE.glob("tests/typing/*.py"))), examples]
        session.run("python", "-m", "mypy", *checked)
        session.run("python", "-m", "pyright", *checked)


@nox.session(python=False)
def generate(session: nox.Session) -> None:
    """The generated modules are what the sources give. Needs the standard library alone."""
    session.run(sys.executable, "cloudlayer_async/blocking/generate.py", "--check")


@nox.session
def demo(session: nox.Session) -> None:
    """The README's first example: HTML to hello.pdf, through the local emulator."""
    install(session, "emulator")
    session.run("python", "tests/readme.py", "demo")


@nox.session
def benchmarks(session: nox.Session) -> None:
    """The measurements, side by side with what they are measured against."""
    install(session, "emulator,speed", *group("benchmarks"))
    for script in sorted(HERE.glob("benchmarks/[a-z]*.py")):
        if script.name != "server.py":
            session.run("python", str(script), *session.posargs)
