"""Files that someone unlucky or unkind might hand over as videos.

``make_hostile_files`` writes them all. Whatever reads videos must read each of them in bounded time
and memory, or say what is wrong with it, and never return a picture that the file does not hold.
"""

import os
import socket
from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import numpy as np
from hostile_headers import Maker, declared, holding, patch, too_large
from video_files import H264, mux_sound, mux_video, numbered_frames

N_FRAMES = 48
FRAMES = numbered_frames(N_FRAMES)
GOP = {"options": {**H264, "g": "12", "bf": "2"}}
SOURCES = {
    "end.mp4": GOP,  # the index is the last part of the file
    "front.mp4": {**GOP, "muxer_options": {"movflags": "faststart"}},
    "parts.mp4": {**GOP, "muxer_options": {"movflags": "frag_keyframe+empty_moov"}},
    "plain.mkv": GOP,
    "vp8.webm": {"codec": "libvpx", "options": {"g": "12"}},
    "mpeg4.avi": {"codec": "mpeg4", "options": {"g": "12", "bf": "2", "qscale": "3"}},
    "mjpeg.avi": {"codec": "mjpeg", "options": {"qscale": "3"}, "pixel_format": "yuvj420p"},
    "raw.avi": {"codec": "rawvideo", "pixel_format": "bgr24"},
    "lossless.mkv": {"codec": "ffv1", "pixel_format": "bgr0"},
    "stream.ts": GOP,
    "moving.gif": {"codec": "gif", "pixel_format": "rgb8", "time_base": Fraction(1, 10)},
}
CUT, FLIPPED = ("end.mp4", "front.mp4", "plain.mkv", "mpeg4.avi", "stream.ts"), tuple(SOURCES)
ONE_PIXEL = "one pixel"  # whose frames are of one colour, rightly


def make_hostile_files(folder: Path) -> dict[str, Path]:
    """Write all files into an empty folder.

    Returns:
        What is hostile about each, ``"cut: end.mp4 at 60"`` -> the file. Ahead of the colon is the
        group: files of ``"no video"``, ``"no file"`` and ``"too large"`` hold none that could be
        read, those of ``"name"`` are in order but for their names.
    """
    sources = folder / "sources"
    sources.mkdir(parents=True)
    for name, kind in SOURCES.items():
        mux_video(sources / name, FRAMES, **kind)
    made = {}
    content = {name: (sources / name).read_bytes() for name in SOURCES}
    for group, files in GROUPS.items():
        for number, (what, name, make) in enumerate(files(content)):
            path = folder / f"{group.replace(' ', '_')}_{number}" / name
            path.parents[name.count("/")].mkdir()
            make(path)
            made[f"{group}: {what}"] = path
    return made


def _cut(content: dict[str, bytes]) -> Iterator[tuple[str, str, Maker]]:
    for name in CUT:
        whole = content[name]
        for kept in (1, 11, 60, len(whole) // 4, len(whole) // 2, len(whole) * 9 // 10, -1):
            yield f"{name} at {kept}", name, holding(whole[:kept])


def _flipped(content: dict[str, bytes]) -> Iterator[tuple[str, str, Maker]]:
    for seed, name in enumerate(FLIPPED * 3):
        rng = np.random.default_rng(seed)
        damaged = np.frombuffer(content[name], np.uint8).copy()
        head = seed // len(FLIPPED) == 2  # the last time round in the first kilobyte only
        places = rng.integers(0, 1000 if head else len(damaged), (3, 30, 20)[seed // len(FLIPPED)])
        damaged[places] = rng.integers(0, 256, len(places))
        yield f"{name} {seed}", name, holding(damaged.tobytes())
    for name in ("end.mp4", "plain.mkv"):
        hole = bytearray(content[name])
        hole[len(hole) // 3 : len(hole) // 2] = bytes(len(hole) // 2 - len(hole) // 3)
        yield f"{name} with a hole", name, holding(bytes(hole))


def _no_videos(content: dict[str, bytes]) -> Iterator[tuple[str, str, Maker]]:
    noise = np.random.default_rng(0).bytes(200_000)
    texts = {
        "text": ("a.mp4", "walk.mp4 walk\n" * 500),
        "text by name": ("a.txt", "walk.mp4 walk\n" * 500),
        "ansi": ("a.ans", "\x1b[31mred\x1b[0m\n" * 500),
        "html": ("a.mp4", "<!DOCTYPE html><html><body>404 Not Found</body></html>"),
        "json": ("a.mkv", '{"error": "access denied"}'),
        "csv": ("a.avi", "file,label\n" * 100),
        "subtitles": ("a.srt", "1\n00:00:01,000 --> 00:00:02,000\nHello\n\n" * 20),
        "svg": ("a.svg", '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'),
        "sdp": ("a.sdp", "v=0\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n"),
        "filter graph": ("a.lavfi", "testsrc=size=320x240:rate=10"),
    }
    for what, (name, text) in texts.items():
        yield what, name, holding(text.encode())
    hls = "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{}\n#EXT-X-ENDLIST\n"
    for what, name, text in (
        ("playlist of passwords", "a.m3u8", hls.format("/etc/passwd")),
        ("playlist of a video", "a.m3u8", hls.format("other.ts")),
        ("playlist called mp4", "a.mp4", hls.format("other.ts")),
        ("playlist of itself", "a.m3u8", hls.format("a.m3u8")),
        ("concat of passwords", "a.ffconcat", "ffconcat version 1.0\nfile /etc/passwd\n"),
        ("concat of a video", "a.mp4", "ffconcat version 1.0\nfile other.ts\n"),
        ("manifest", "a.mpd", _mpd("other.ts")),
    ):
        yield what, name, partial(_beside_a_video, text=text, video=content["stream.ts"])
    yield "nothing", "a.mp4", holding(b"")
    yield "noise", "a.mp4", holding(noise)
    yield "zeros", "a.mp4", holding(bytes(200_000))
    yield "noise in a box", "a.mp4", holding(content["end.mp4"][:40] + noise)
    mdat, moov = content["end.mp4"].index(b"mdat"), content["end.mp4"].index(b"moov")
    encrypted = content["end.mp4"][: mdat + 4] + noise[: moov - mdat - 8]
    yield "noise for frames", "a.mp4", holding(encrypted + content["end.mp4"][moov - 4 :])
    yield (
        "noise with sync bytes",
        "a.ts",
        holding(b"".join(b"\x47" + noise[:187] for _ in range(900))),
    )
    yield "sound", "a.mp4", mux_sound
    yield "long sound", "a.mkv", partial(mux_sound, audio_sec=60)
    yield "programme", "a.mp4", holding(b"MZ" + noise[:5000])
    yield "zip", "a.mp4", holding(b"PK\x03\x04" + noise[:5000])
    yield from _pictures(content)


def _mpd(video: str) -> str:
    return (
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
        'mediaPresentationDuration="PT2S" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011">'
        '<Period><AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1">'
        f"<BaseURL>{video}</BaseURL></Representation></AdaptationSet></Period></MPD>"
    )


def _beside_a_video(path: Path, text: str, video: bytes) -> None:
    path.write_text(text)
    (path.parent / "other.ts").write_bytes(video)


def _pictures(content: dict[str, bytes]) -> Iterator[tuple[str, str, Maker]]:
    kind = {"options": {"preset": "ultrafast"}}
    yield "8K still", "a.mp4", lambda path: mux_video(path, _large(1), **kind)
    for suffix, codec, pixels in (("png", "png", "rgb24"), ("jpg", "mjpeg", "yuvj420p")):
        picture = _picture(_large(1)[0], codec, pixels)
        yield f"8K {suffix}", f"a.{suffix}", holding(picture)
        yield f"8K {suffix} as mp4", "a.mp4", holding(picture)
    yield "pattern of pictures", "a%d.png", _numbered_pictures
    yield "picture of a series", "a1.png", _numbered_pictures
    yield "pattern that is a video", "a%d.jpg", holding(content["end.mp4"])


def _large(n_frames: int) -> np.ndarray:
    return numbered_frames(n_frames, 216, 384).repeat(20, axis=1).repeat(20, axis=2)


def _odd_shapes(content: dict[str, bytes]) -> Iterator[tuple[str, str, Maker]]:
    one = {"codec": "ffv1", "pixel_format": "bgr0"}
    yield ONE_PIXEL, "a.mkv", lambda path: mux_video(path, FRAMES[:, :1, :1], **one)
    yield "one row", "a.mkv", lambda path: mux_video(path, FRAMES[:, :1], **one)
    wide = numbered_frames(3, 2, 16000)
    yield "very wide", "a.mkv", lambda path: mux_video(path, wide, **one)
    quick = {"options": {"preset": "ultrafast", "qp": "30"}}
    yield "8K", "a.mp4", lambda path: mux_video(path, _large(2), **quick)
    mkv = content["lossless.mkv"]
    wider = patch(patch(mkv, b"\xb0\x81", -1, ">BB", 0x81, 255), b"\xba\x81", -1, ">BB", 0x81, 255)
    yield "ffv1 of another size", "a.mkv", holding(wider)


def _picture(frame: np.ndarray, codec: str, pixel_format: str) -> bytes:
    encoder = av.CodecContext.create(codec, "w")
    encoder.height, encoder.width = frame.shape[:2]
    encoder.pix_fmt, encoder.time_base = pixel_format, Fraction(1, 25)
    picture = av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format=pixel_format)
    return b"".join(map(bytes, [*encoder.encode(picture), *encoder.encode(None)]))


def _numbered_pictures(path: Path) -> None:
    for number in range(5):
        picture = _picture(FRAMES[number], "png", "rgb24")
        path.with_name(f"a{number}.png").write_bytes(picture)
        path.write_bytes(picture)


def _odd_times(content: dict[str, bytes]) -> Iterator[tuple[str, str, Maker]]:
    still = {"options": {"bf": "0"}}
    kinds = {
        "no frame rate": ("a.mkv", {**still, "times": [0] * 48, "time_base": Fraction(1, 1000)}),
        "a frame a day": (
            "a.mkv",
            {"times": range(0, 48 * 86400, 86400), "time_base": Fraction(1)},
        ),
        "10^6 frames per second": ("a.mp4", {"time_base": Fraction(1, 1_000_000)}),
        "a gap of a year": ("a.mkv", {"times": [*range(47), 30 * 86400 * 365]}),
        "times below zero": ("a.mp4", {"times": range(-20, 28)}),
    }
    for what, (name, kind) in kinds.items():
        yield what, name, partial(mux_video, frames=FRAMES, **kind)
    mp4, rng = content["end.mp4"], np.random.default_rng(1)
    count = int.from_bytes(mp4[mp4.index(b"ctts") + 8 :][:4], "big")
    ones = [value for _ in range(count) for value in (1, int(rng.integers(0, 9999)))]
    yield "scrambled times", "a.mp4", holding(patch(mp4, b"ctts", 8, f">{2 * count}I", *ones))
    yield "huge times", "a.mp4", holding(patch(mp4, b"ctts", 12, ">I", 2**31 - 1))
    yield "no step of time", "a.mp4", holding(patch(mp4, b"stts", 12, ">I", 0))
    yield (
        "no rate in an avi",
        "a.avi",
        holding(patch(content["mpeg4.avi"], b"strh", 24, "<II", 0, 0)),
    )
    yield "all stored out of order", "a.mkv", holding(_swapped(content["plain.mkv"], 4))
    packets = content["stream.ts"]
    yield (
        "packets in disorder",
        "a.ts",
        holding(b"".join(packets[i : i + 188] for i in rng.permutation(len(packets) // 188) * 188)),
    )
    yield "no keyframe first", "a.mkv", partial(_from_packet, source=content["plain.mkv"], first=5)
    yield (
        "no keyframe at all",
        "a.mkv",
        partial(_from_packet, source=content["plain.mkv"], first=5, last=11),
    )


def _swapped(mkv: bytes, step: int) -> bytes:
    """Give blocks of a cluster the time codes of others."""
    content, starts, place = bytearray(mkv), [], 0
    while (place := mkv.find(b"\xa3", place + 1)) > 0:  # SimpleBlock
        if mkv[place + 2] == 0x81 or mkv[place + 3] == 0x81:  # track 1
            starts.append(place + (3 if mkv[place + 2] == 0x81 else 4))
    for one, other in zip(starts[::step], starts[1::step], strict=False):
        content[one : one + 2], content[other : other + 2] = (
            mkv[other : other + 2],
            mkv[one : one + 2],
        )
    return bytes(content)


def _from_packet(path: Path, source: bytes, first: int, last: int | None = None) -> None:
    whole = path.with_name("whole.mkv")
    whole.write_bytes(source)
    with av.open(str(whole)) as old, av.open(str(path), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        packets = [packet for packet in old.demux(video=0) if packet.size]
        for packet in packets[first:last]:
            packet.stream = stream
            new.mux(packet)


def _no_files(content: dict[str, bytes]) -> Iterator[tuple[str, str, Maker]]:
    yield "folder", "a.mp4", Path.mkdir
    yield "pipe", "a.mp4", os.mkfifo
    yield "socket", "a.mp4", _listen
    for device in ("zero", "null", "urandom", "full", "tty", "stdin"):
        yield f"device {device}", "a.mp4", lambda path, to=device: path.symlink_to(f"/dev/{to}")
    yield "memory", "a.mp4", lambda path: path.symlink_to("/proc/self/mem")
    yield "link to itself", "a.mp4", lambda path: path.symlink_to(path)
    yield "link to nothing", "a.mp4", lambda path: path.symlink_to(path.parent / "gone.mp4")
    yield "link to a folder", "a.mp4", lambda path: path.symlink_to(path.parent)
    yield "missing", "a.mp4", lambda path: None
    yield "in a file", "a.mp4/b.mp4", lambda path: path.parent.touch()
    yield "name too long", "a" * 300 + ".mp4", lambda path: None
    yield "path too long", "/".join(["a" * 200] * 30), lambda path: None
    yield "name with nul", "a\0b.mp4", lambda path: None


def _listen(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # names of sockets are short
    try:
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(path.name)
    finally:
        os.chdir(here)


def _names(content: dict[str, bytes]) -> Iterator[tuple[str, str, Maker]]:
    """Good videos with bad names."""
    for what, name in {
        "newline": "a\nb.mp4",
        "not utf-8": os.fsdecode(b"\xff\xfe\x80.mp4"),
        "longest": "a" * 251 + ".mp4",
        "pattern": "frame%03d.mp4",
        "protocol": "concat:a.mp4|b.mp4",
        "address": "http:a.mp4",
        "option": "-i a.mp4",
        "spaces": " a .mp4",
        "right to left": "\u202e4pm.mp4",
        "no suffix": "video",
        "wrong suffix": "a.txt",
        "picture's suffix": "a.jpg",
        "quotes": "'\";$(reboot)`.mp4",
    }.items():
        yield what, name, holding(content["end.mp4"])


GROUPS = {
    "cut": _cut,
    "flipped": _flipped,
    "declared": declared,
    "no video": _no_videos,
    "too large": too_large,
    "shape": _odd_shapes,
    "times": _odd_times,
    "no file": _no_files,
    "name": _names,
}
