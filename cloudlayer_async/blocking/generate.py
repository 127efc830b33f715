"""Writes the generated modules from the source text of the hand-written ones.

    python cloudlayer_async/blocking/generate.py            # write
    python cloudlayer_async/blocking/generate.py --check    # fail when what is there differs

Standard library only, and nothing of the package is imported but `_generator`: it works when generated files are absent or
broken. What it writes is put together from source text, so that it does not depend on the Python that runs it. Left out of
the wheel.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from cloudlayer_async.blocking._generator.keywords import keywords, options_by_class
from cloudlayer_async.blocking._generator.rules import all_rules
from cloudlayer_async.blocking._generator.source import BANNER, PACKAGE, GenerationError
from cloudlayer_async.blocking._generator.twins import TWINS, twin


def generated() -> dict[Path, str]:
    """Every generated file and the text it must have.

    Raises:
        GenerationError: A source has no twin, or a rule is of no use.
    """
    rules = all_rules()
    options = options_by_class()
    files = {PACKAGE / "_keywords.py": keywords()}
    for file, path, name in TWINS:
        files[PACKAGE / "blocking" / file] = twin(path, name, rules, options)
    if unused := [complaint for group in rules.values() for complaint in group.unused()]:
        raise GenerationError("\n".join(unused))
    return files


def orphans(files: dict[Path, str]) -> Iterator[Path]:
    """Files that say they were generated, and are not any more."""
    mark = BANNER.partition("{")[0]
    for path in sorted(set(PACKAGE.rglob("*.py")) - set(files)):
        if any(line.startswith(mark) for line in path.read_text(encoding="utf-8").splitlines()[:5]):
            yield path


def main(arguments: list[str] | None = None) -> int:
    """Writes the files, or says which of them differ."""
    parser = argparse.ArgumentParser(description="Write the generated modules.")
    parser.add_argument("--check", action="store_true", help="only compare; exit with 1 when a file differs")
    check = parser.parse_args(arguments).check
    try:
        files = generated()
    except GenerationError as error:
        print(error)
        return 1
    differing = [path for path, text in files.items() if not path.is_file() or path.read_bytes() != text.encode()]
    for path in differing:
        if not check:
            path.write_bytes(files[path].encode())  # on every system with the same ends of lines
        print(f"{'differs' if check else 'written'}: {path.relative_to(PACKAGE.parent)}")
    left = list(orphans(files))
    for path in left:
        print(f"orphan, to be deleted: {path.relative_to(PACKAGE.parent)}")
    return 1 if left or (check and differing) else 0


if __name__ == "__main__":
    sys.exit(main())
