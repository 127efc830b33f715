"""Killed at any moment, and started again: nothing is lost, and nothing is paid twice."""

from __future__ import annotations

import asyncio
import random
import signal
import sqlite3
import sys
from collections import Counter
from pathlib import Path

import pytest

from .service import FakeService

pytestmark = pytest.mark.asyncio

PROGRAM = Path(__file__).parent / "killed.py"
ROOT = Path(__file__).parents[2]


async def start(service: FakeService, folder: Path, count: int) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        str(PROGRAM),
        service.base_url,
        str(folder),
        str(count),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PYTHONPATH": str(ROOT)},
    )


async def one_life(service: FakeService, folder: Path, count: int, chance: random.Random, most: int, how: int) -> str:
    """Start the program, and kill it once it has made some progress, or after a moment."""
    process = await start(service, folder, count)
    kind = chance.choice(["submit", "read", "download", "time"])
    goal = service.calls[kind] + chance.randint(1, most)
    deadline = asyncio.get_running_loop().time() + (chance.uniform(0.2, 0.8) if kind == "time" else 10)
    while process.returncode is None and asyncio.get_running_loop().time() < deadline and service.calls[kind] < goal:
        await asyncio.sleep(0.001)
    await asyncio.sleep(chance.uniform(0, 0.01))
    if process.returncode is None:
        process.send_signal(how)
    _, said = await process.communicate()
    assert process.returncode in (-signal.SIGKILL, 0) or how != signal.SIGKILL, said.decode()
    return f"killed at {kind} {goal if kind != 'time' else ''}"


async def check(service: FakeService, folder: Path, count: int) -> None:
    assert service.accepted == count
    assert Counter(service.pages()) == Counter(f"<p>page {number}</p>" for number in range(count))
    whole = list((folder / "out").iterdir())  # and nothing half-written is left
    products = Counter(path.read_bytes() for path in whole)
    assert products == Counter(service.product(job) for job in service.jobs.values())
    connection = sqlite3.connect(folder / "run.db")
    assert connection.execute("SELECT state, count(*) FROM items GROUP BY state").fetchall() == [("finished", count)]
    paths = {row[0] for row in connection.execute("SELECT path FROM items")}
    connection.close()
    assert paths == {str(path) for path in whole}


@pytest.mark.parametrize(
    ("count", "lives", "seed"),
    [(60, 5, 1), pytest.param(500, 25, 2, marks=[pytest.mark.slow, pytest.mark.timeout(600)])],
)
async def test_killed_again_and_again(service: FakeService, tmp_path: Path, count: int, lives: int, seed: int) -> None:
    chance = random.Random(seed)
    for life in range(lives):
        how = await one_life(service, tmp_path, count, chance, count * 2 // lives, signal.SIGKILL)
        print(f"life {life + 1:2}: {how}: {service.accepted} accepted, {service.calls['submit']} sent")
    process = await start(service, tmp_path, count)
    said, complaints = await process.communicate()
    assert process.returncode == 0, complaints.decode()
    print(said.decode())
    await check(service, tmp_path, count)
    print(f"{lives} lives: {service.accepted} jobs accepted for {count} items, one whole file each")


async def test_interrupted_by_the_keyboard(service: FakeService, tmp_path: Path) -> None:
    chance = random.Random(5)
    for _ in range(2):
        await one_life(service, tmp_path, 40, chance, 20, signal.SIGINT)
    process = await start(service, tmp_path, 40)
    _, complaints = await process.communicate()
    assert process.returncode == 0, complaints.decode()
    await check(service, tmp_path, 40)


async def test_a_full_disk_stops_before_anything_that_could_not_be_written_down(
    service: FakeService, tmp_path: Path
) -> None:
    """Files of this process may not grow beyond 64 KB: the journal's log fills up after a while."""
    program = (
        "import resource, signal, runpy, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, resource.RLIM_INFINITY))\n"
        f"sys.argv = [{str(PROGRAM)!r}, {service.base_url!r}, {str(tmp_path)!r}, '200']\n"
        f"runpy.run_path({str(PROGRAM)!r}, run_name='__main__')\n"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stderr=asyncio.subprocess.PIPE, env={"PYTHONPATH": str(ROOT)}
    )
    _, said = await process.communicate()
    assert process.returncode == 1 and b"BatchStoppedError" in said, said.decode()
    assert 0 < service.accepted < 200
    process = await start(service, tmp_path, 200)
    _, said = await process.communicate()
    assert process.returncode == 0, said.decode()
    await check(service, tmp_path, 200)
