"""A scan of many files: killed and gone on with, it says the same and looks into no file twice."""

import os
import signal
import socket
import subprocess
import sys

import pytest
from video_files import numbered_frames

from condi_lib.videos import scan as scan_module
from condi_lib.videos.catalog import Catalog, CatalogError, VideoRecord, scan, survey
from condi_lib.videos.decode import probe, write_video
from condi_lib.videos.journal import Journal, stamp_of

N_VIDEOS = 8
LENGTHS = [4, 5, 6, 7, 8, 9, 1, 11]  # the seventh is a picture; another is no video, one is missing


@pytest.fixture
def catalog(tmp_path):
    records = []
    for index, count in enumerate(LENGTHS):
        path = tmp_path / f"{index}.mp4"
        if index == 2:
            path.write_bytes(b"<html>This video is not available</html>")
        elif index != 4:
            write_video(path, numbered_frames(count))
        records.append(VideoRecord(path.name, path, index % 2, ("train", "test")[index % 2]))
    return Catalog(tmp_path, ("a", "b"), tuple(records))


def count_looks(monkeypatch):
    """The files that are really looked into from now on."""
    seen = []

    def looked(path):
        seen.append(path.name)
        return probe(path)

    monkeypatch.setattr(scan_module, "probe", looked)
    return seen


def test_bad_files_are_told_apart(catalog):
    report = scan(catalog, skip_bad=True)
    assert [(bad.video_id, bad.split, bad.kind) for bad in report.left_out] == [
        ("2.mp4", "train", "corrupt"),
        ("4.mp4", "train", "missing"),
        ("6.mp4", "train", "too_short"),
    ]
    with pytest.raises(CatalogError, match=r"3 of 8 videos cannot .* 1 missing, 1 corrupt, 1 too"):
        scan(catalog)


def test_videos_shorter_than_asked_for_are_left_out(catalog):
    report = survey(catalog, min_frames=8)
    assert [info.n_frames for info in report.infos.values()] == [9, 11]
    assert {bad.kind for bad in report.left_out[:2]} == {"too_short"}
    assert report.left_out[0].cause == "has 4 frames, fewer than 8"


def test_a_journal_changes_nothing_but_the_work(catalog, tmp_path, monkeypatch):
    plain = scan(catalog, skip_bad=True)
    journal = tmp_path / "scan.jsonl"
    for worked in ([f"{n}.mp4" for n in range(N_VIDEOS)], ["4.mp4"]):  # what is missing may come
        seen = count_looks(monkeypatch)
        report = survey(catalog, journal=journal)
        assert report.infos == plain.infos and list(report.infos) == list(plain.infos)
        assert report.left_out == plain.left_out
        assert [bad.advice for bad in report.left_out] == [bad.advice for bad in plain.left_out]
        assert seen == worked


def test_a_file_that_changed_is_looked_into_again(catalog, tmp_path, monkeypatch):
    journal = tmp_path / "scan.jsonl"
    survey(catalog, journal=journal)
    write_video(tmp_path / "2.mp4", numbered_frames(20))  # downloaded again
    write_video(tmp_path / "4.mp4", numbered_frames(21))  # found at last
    os.utime(tmp_path / "5.mp4", ns=(1, 1))
    seen = count_looks(monkeypatch)
    report = survey(catalog, journal=journal)
    assert seen == ["2.mp4", "4.mp4", "5.mp4"]
    assert [report.infos[f"{n}.mp4"].n_frames for n in (2, 4, 5)] == [20, 21, 9]


def test_another_way_of_looking_begins_anew(catalog, tmp_path, monkeypatch):
    journal = tmp_path / "scan.jsonl"
    survey(catalog, every_frame=True, journal=journal)
    seen = count_looks(monkeypatch)
    survey(catalog, journal=journal)
    assert len(seen) == N_VIDEOS


def test_another_decoder_looks_anew(catalog, tmp_path, monkeypatch):
    journal = tmp_path / "scan.jsonl"
    survey(catalog, journal=journal)
    seen = count_looks(monkeypatch)
    monkeypatch.setattr("av.__version__", "0.0")
    survey(catalog, journal=journal)
    assert len(seen) == N_VIDEOS


@pytest.mark.parametrize("cut", [1, 7, 40])
def test_a_line_cut_off_by_a_kill_is_written_anew(catalog, tmp_path, monkeypatch, cut):
    journal = tmp_path / "scan.jsonl"
    survey(catalog, journal=journal)
    whole = journal.read_bytes()
    journal.write_bytes(whole[:-cut])
    seen = count_looks(monkeypatch)
    survey(catalog, journal=journal)
    assert seen == ["4.mp4", "7.mp4"]
    assert journal.read_bytes() == whole


KILLED = """
import os, signal, sys
from pathlib import Path
from condi_lib.videos import scan as module
from condi_lib.videos.catalog import Catalog, VideoRecord, survey

probe, seen, folder = module.probe, [], Path(sys.argv[1])

def look(path):
    if len(seen) == 6:
        os.kill(os.getpid(), signal.SIGKILL)
    seen.append(path)
    return probe(path)

module.probe = look
records = tuple(VideoRecord(f"{n}.mp4", folder / f"{n}.mp4", 0) for n in range(8))
survey(Catalog(folder, ("a",), records), journal=folder / "scan.jsonl")
"""


def test_a_killed_scan_goes_on_where_it_was(catalog, tmp_path, monkeypatch):
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    seen = count_looks(monkeypatch)
    gone_on = survey(catalog, journal=tmp_path / "scan.jsonl")
    assert seen == ["4.mp4", "6.mp4", "7.mp4"]  # 4 is missing; 0 to 3 and 5 are known
    assert gone_on.infos == scan(catalog, skip_bad=True).infos


def test_workers_share_a_scan_and_its_journal(catalog, tmp_path):
    journal = tmp_path / "scan.jsonl"
    shared = survey(catalog, workers=2, journal=journal)
    plain = scan(catalog, skip_bad=True)
    assert shared.infos == plain.infos and shared.left_out == plain.left_out
    with Journal(journal, every_frame=False) as kept:
        assert len(kept) == N_VIDEOS - 1  # all but the missing one
        assert kept.stamp("0.mp4") == stamp_of(tmp_path / "0.mp4")


def test_an_error_lists_the_first_hundred(tmp_path):
    records = tuple(VideoRecord(f"{n}.mp4", tmp_path / f"{n}.mp4", 0) for n in range(150))
    with pytest.raises(CatalogError) as caught:
        scan(Catalog(tmp_path, ("a",), records))
    lines = str(caught.value).splitlines()
    assert lines[0] == "150 of 150 videos cannot be used: 150 missing:"
    assert lines[100].startswith(f"  {tmp_path}/99.mp4: does not exist; ")
    assert lines[101:] == ["  and 50 more"]


@pytest.mark.parametrize("spoilt", [b"\0\0\0\0", b'["1.mp4", 5]', b"7", b"\xff"])
def test_what_follows_a_spoilt_line_is_looked_into_again(catalog, tmp_path, monkeypatch, spoilt):
    journal = tmp_path / "scan.jsonl"
    plain = survey(catalog, journal=journal)
    whole = journal.read_bytes()
    lines = whole.split(b"\n")
    journal.write_bytes(b"\n".join([*lines[:5], spoilt, *lines[6:]]))
    seen = count_looks(monkeypatch)
    again = survey(catalog, journal=journal)
    assert seen == ["4.mp4", "5.mp4", "6.mp4", "7.mp4"] and again.infos == plain.infos
    assert journal.read_bytes() == whole


def test_a_file_that_could_not_be_read_is_tried_again(catalog, tmp_path, monkeypatch):
    """Permissions and disks are mended without a trace in the file's size and time of change."""
    with socket.socket(socket.AF_UNIX) as unreadable:  # open() refuses it, also to an administrator
        monkeypatch.chdir(tmp_path)
        unreadable.bind("4.mp4")
        for _ in range(2):
            seen = count_looks(monkeypatch)
            report = survey(catalog, journal=tmp_path / "scan.jsonl")
            assert "4.mp4" in seen
        assert seen == ["4.mp4"]
    assert [bad.cause.split(" (")[0] for bad in report.left_out][1] == "cannot be read"
