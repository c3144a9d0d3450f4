"""Fixtures for tests on video files, networks, studies and figures."""

import os
import random
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from video_files import KINDS, N_FRAMES, mux_video, numbered_frames

# What the caller's shell, or a launcher around the tests, may have set for other work.
for name in ("CONDI_ROOT", "RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"):
    os.environ.pop(name, None)


def pytest_runtest_setup(item):
    """Each test draws the same numbers, whichever tests the same process has run before."""
    for seed in (random.seed, np.random.seed, torch.manual_seed):
        seed(0)


@pytest.fixture(scope="session")
def make_video(tmp_path_factory):
    """Make a file once, by its name in ``KINDS``."""
    folder = tmp_path_factory.mktemp("videos")
    frames = numbered_frames(N_FRAMES)

    def at(name: str) -> Path:
        path = folder / name
        return path if path.exists() else mux_video(path, frames, **KINDS[name])

    return at


@pytest.fixture
def quiet(capfd):
    """Nothing, FFmpeg above all, may write to stderr while it reads."""
    yield
    lines = capfd.readouterr().err.splitlines()
    assert [line for line in lines if not line.startswith("Svt[")] == []  # an encoder's chatter


@pytest.fixture
def root(tmp_path, monkeypatch):
    """An empty project of its own: no params file, no video, no run."""
    monkeypatch.setenv("CONDI_ROOT", str(tmp_path))
    return tmp_path


@pytest.fixture
def no_bf16(monkeypatch):
    """A processor without fast bf16, on which ``optimize`` keeps to fp32."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)


@pytest.fixture
def house_style():
    """Draw as the chapters do; every figure is closed afterwards."""
    from condi_lib import plotting

    with plt.rc_context():
        plotting.use_style()
        yield
    plt.close("all")
