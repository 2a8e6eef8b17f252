"""After a power loss every store opens, and holds exactly what its last checkpoint held, or a later one."""

from __future__ import annotations

import random  # noqa: TID251  # seeded: the same in every run
import subprocess
import sys
from pathlib import Path

import pytest

from localzure_storage.lmdb import LmdbStore
from tests.storage.open_images import digest
from tests.storage.power_loss import Machine

_SCRIPT = Path(__file__).with_name("open_images.py")
_SIZES = [0, 5, 100, 100, 1000, 1000, 3000, 4080, 5000, 20_000, 90_000]


class _Workload:
    """A store in use on a machine that is watched, and what is known of its content."""

    def __init__(self, directory: Path, seed: int) -> None:
        self.rng = random.Random(seed)
        self.directory = directory
        self.content: dict[bytes, bytes] = {}
        self.store = LmdbStore(directory / "live", boot="first")
        self.machine = Machine(directory / "live", self.rng)
        self.machine.sync()
        self.safe = self.digest()
        """The content of the last checkpoint that is certain to be on disk."""
        self.images: list[tuple[Path, set[str]]] = []

    def digest(self) -> str:
        return digest(sorted(self.content.items()))

    def key(self) -> bytes:
        number = self.rng.randrange(300)
        return b"k%d" % number if number % 9 else b"long" * (100 + number)

    def commit_some(self) -> None:
        """Commit one transaction of puts, deletes, and nested ones of which some are undone."""
        txn = self.store.begin()
        for _ in range(self.rng.randrange(1, 25)):
            before = dict(self.content)
            try:
                with txn.nested() as inner:
                    for _ in range(self.rng.randrange(1, 4)):
                        self.change(inner)
                    if self.rng.random() < 0.15:
                        raise InterruptedError
            except InterruptedError:
                self.content = before
        txn.commit()
        self.machine.watch()

    def change(self, writer: object) -> None:
        key = self.key()
        if self.rng.random() < 0.4 and self.content:
            key = self.rng.choice(sorted(self.content))
            writer.delete(key)  # type: ignore[attr-defined]
            del self.content[key]
        else:
            value = self.rng.randbytes(8) * (self.rng.choice(_SIZES) // 8)
            writer.put(key, value)  # type: ignore[attr-defined]
            self.content[key] = value

    def lose_power(self, recovery: bytes | None = None, *also: str) -> None:
        """Take an image; it must hold the last safe content, or one of `also`."""
        place = self.directory / f"image{len(self.images)}"
        self.machine.image(place, self.machine.recovery() if recovery is None else recovery)
        self.images.append((place, {self.safe, *also}))

    def make_checkpoint(self, *, with_images: bool) -> None:
        """Make a checkpoint with commits between its steps, and a power loss at each of them."""
        checkpoint = self.store.checkpoint
        assert checkpoint is not None
        if not checkpoint.begin():
            return
        new, before = self.digest(), self.machine.recovery()
        if self.rng.random() < 0.5:
            self.commit_some()
        if with_images:
            self.lose_power()
        checkpoint.flush()
        self.machine.sync()
        after = self.machine.recovery()
        if with_images:
            self.lose_power(before)
            self.lose_power(self.machine.torn(before, after), new)
        self.safe = new
        if self.rng.random() < 0.5:
            self.commit_some()
            self.lose_power()
        checkpoint.finish()

    def run(self) -> None:
        self.lose_power()
        for _ in range(self.rng.randrange(4)):
            self.commit_some()
        self.lose_power()
        for step in range(4):
            self.make_checkpoint(with_images=step == 2)
            for _ in range(self.rng.randrange(1, 12)):
                self.commit_some()
            self.lose_power()


def _open(images: list[Path], boot: str) -> list[str]:
    """Open each image in a process of its own kind; an image that kills it answers with how."""
    answers: list[str] = []
    while len(answers) < len(images):
        left = [str(image) for image in images[len(answers) :]]
        ended = subprocess.run([sys.executable, _SCRIPT, boot, *left], capture_output=True, text=True, check=False)
        answers += ended.stdout.splitlines()
        if ended.returncode:
            answers.append(f"ended with {ended.returncode}: {ended.stderr[-300:]}")
    return answers


def _answers(directory: Path, seeds: range, boot: str) -> list[tuple[str, str, set[str]]]:
    """Run the workload of each seed, and open what its power losses leave: (image, what it holds, what it may hold)."""
    images: list[tuple[Path, set[str]]] = []
    for seed in seeds:
        workload = _Workload(directory / f"seed{seed}", seed)
        workload.run()
        workload.store.close()
        images += workload.images
    answers = _open([place for place, _ in images], boot)
    return [(str(place), answer, allowed) for (place, allowed), answer in zip(images, answers, strict=True)]


@pytest.mark.parametrize("first", range(0, 42, 7))
def test_every_image_opens_with_the_content_of_its_checkpoint(tmp_path: Path, first: int) -> None:
    for image, answer, allowed in _answers(tmp_path, range(first, first + 7), "second"):
        assert answer in allowed, image


def test_without_putting_the_checkpoint_back_images_are_lost(tmp_path: Path) -> None:
    """The power losses above are real ones: opened as after a mere kill, such images are damaged or worse."""
    answers = _answers(tmp_path, range(3), "first")
    assert sum(answer not in allowed for _, answer, allowed in answers) >= 6
