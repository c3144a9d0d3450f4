"""The page for a lab shows what benchmarks/plan.py prints, and its arithmetic is right."""

import importlib.util
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
SCRIPT = CHECKOUT / "benchmarks" / "plan.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("kinetics_plan", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclass looks types up
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def test_the_page_shows_what_the_script_prints(script, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["plan.py"])
    script.main()
    page = (CHECKOUT / "workflow" / "README.md").read_text()
    printed = capsys.readouterr().out
    assert f"```\n{printed}```\n" in page, "python benchmarks/plan.py: paste it there"


def test_hours_are_those_of_the_slower_side(script):
    """36 videos of 2 clips: 72 clips at 2 GPUs x .01/s; at 4 cores x .0025/s twice as long."""
    rates = {"gpu_teacher": 0.01, "gpu_training": 0.25, "gpu_student": 0.5}
    rates |= {"decode_in_order": 0.0025, "decode_random": 10.0}
    sizes = {"val_fraction": 0.25, "frames": 32, "epochs": 100, "gpus": 2, "cores": 4}
    plan = script.Plan(24, 12, **sizes, **rates)
    assert (plan.scored, plan.trained(1), plan.judged) == (72, 1800, 36)
    numbers = [line[30:74].split() for line in script.hour_lines(plan)[1:]]
    assert numbers == [
        ["0.00", "2.0", "2.0"],  # 72 / .01 = 7200 s
        ["0.00", "1.0", "2.0", "2.0"],  # 72 / .02 = 3600 s; 72 / .01 = 7200 s
        ["0.00", "1.0", "0.0", "1.0"],  # 1800 / .5 = 3600 s
        ["0.00", "2.0", "0.0", "2.0"],  # both clips of each video
        ["0.00", "0.0", "1.0", "1.0"],  # 36 / .01 = 3600 s
    ]


def test_a_clip_more_or_less_counts_the_looped_one(script):
    assert script.Plan(frames=300).clips_of_video == 19
    assert script.Plan(frames=288).clips_of_video == 18


def test_disk_and_memory_are_count_times_size(script):
    plan = script.Plan(500_000, 500_000, val_fraction=0, frames=16, gpus=4, cores=32)
    lines = [*script.disk_lines(plan), *script.memory_lines(plan)]
    sizes = {line[:30].strip(): float(line[30:44]) for line in lines}
    assert sizes["teacher's logits, float32"] == pytest.approx(1e6 * plan.float32_bytes / 1e9)
    assert sizes["logits mapped in training"] == pytest.approx(1e6 * 4 * 600 / 1e9)
    assert sizes["(a cache of all clips)"] == pytest.approx(0.602112, abs=0.005)
    per_process_mb = plan.process_mb + 8 * plan.worker_mb
    assert sizes["memory of all processes"] == pytest.approx(4e-3 * per_process_mb)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_a_written_table_weighs_what_the_plan_says(script, dtype):
    assert script.bytes_per_clip(600, dtype) == pytest.approx(
        getattr(script.Plan(), f"{dtype}_bytes"), rel=0.02
    )
