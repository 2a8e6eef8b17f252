"""Building an image and running containers of it, with Docker or with Podman, from tests.

Podman inside of another container or an old kernel needs more words than Docker (https://github.com/containers/podman,
"rootless" and "cgroups v1"): the image is built by Buildah without namespaces, and run on the host's network.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.polling import wait_until

ROOT = Path(__file__).parents[2]
STAND_IN = "localhost/python:3.11-slim"
"""A base image made on the spot, where no registry can be reached."""


@dataclass(frozen=True, slots=True)
class Engine:
    """A container engine."""

    program: str

    @classmethod
    def here(cls) -> Engine | None:
        """The engine that works on this machine, if one does."""
        for program in ("docker", "podman"):
            if (
                shutil.which(program)
                and not subprocess.run([program, "info"], capture_output=True, check=False).returncode
            ):
                return cls(program)
        return None

    def build(self, tag: str) -> None:
        """Build the image of this repository."""
        base = ["--build-arg", f"PYTHON_IMAGE={STAND_IN}"] if self.has(STAND_IN) else []
        if self.program == "podman" and shutil.which("buildah"):
            build = ["buildah", "build", "--isolation", "chroot", "--network", "host"]
        else:
            build = [self.program, "build"]
        _call(*build, *base, "--tag", tag, str(ROOT), seconds=900)

    def has(self, image: str) -> bool:
        """Whether there is such an image."""
        return (
            subprocess.run([self.program, "image", "inspect", image], capture_output=True, check=False).returncode == 0
        )

    def run(self, name: str, *options: str, image: str, command: tuple[str, ...] = ()) -> None:
        """Start a container on the host's network, in the background."""
        program = [self.program]
        limits = []
        if self.program == "podman":
            program += ["--runtime", "runc"] if shutil.which("runc") else []
            limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000"]
        _call(*program, "run", "--detach", "--name", name, "--network", "host", *limits, *options, image, *command)

    def logs(self, name: str) -> str:
        """What a container has written."""
        done = subprocess.run([self.program, "logs", name], capture_output=True, text=True, check=True)
        return done.stdout + done.stderr

    def wait_for(self, name: str, line: str, seconds: float = 30) -> str:
        """Wait for a line in a container's log, as test kits do; returns the log."""
        wait_until(
            lambda: line in self.logs(name), lambda: f"{line!r} in the log of {name}:\n{self.logs(name)}", seconds
        )
        return self.logs(name)

    def stop(self, name: str) -> int:
        """Stop a container as `docker stop` does; returns its exit code."""
        _call(self.program, "stop", "--time", "40", name)
        state = subprocess.run(
            [self.program, "inspect", "--format", "{{.State.ExitCode}}", name],
            capture_output=True,
            text=True,
            check=True,
        )
        return int(state.stdout)

    def exec(self, name: str, *command: str) -> str:
        """Run a command in a container; returns what it prints."""
        return _call(self.program, "exec", name, *command)

    def remove(self, name: str) -> None:
        """Remove a container, running or not, with its volumes."""
        subprocess.run([self.program, "rm", "--force", "--volumes", name], capture_output=True, check=False)


def _call(*command: str, seconds: float = 60) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    if done.returncode:
        raise AssertionError(f"{' '.join(command)} failed:\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
    return done.stdout
