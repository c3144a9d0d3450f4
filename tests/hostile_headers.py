"""Video files whose headers say they hold more than they do: see ``hostile_files``."""

import struct
from collections.abc import Callable, Iterator
from pathlib import Path

HUGE = 2**32 - 1
Maker = Callable[[Path], object]  # writes the file of this name


def holding(content: bytes) -> Maker:
    """Write these bytes."""
    return lambda path: path.write_bytes(content)


def patch(content: bytes, box: bytes, offset: int, layout: str, *values: int) -> bytes:
    """Overwrite fields at an offset behind the first mention of a box or element."""
    place = content.index(box) + len(box) + offset
    packed = struct.pack(layout, *values)
    return content[:place] + packed + content[place + len(packed) :]


def declared(content: dict[str, bytes]) -> Iterator[tuple[str, str, Maker]]:
    """Files that say they hold more than they do."""
    mp4, mkv = content["end.mp4"], content["plain.mkv"]
    fields = {
        "stsz count": (b"stsz", 8, ">I", HUGE),
        "stsz one size": (b"stsz", 4, ">II", 1, HUGE),
        "stts count": (b"stts", 4, ">I", HUGE),
        "stts repeats": (b"stts", 8, ">I", HUGE),
        "stts delta": (b"stts", 12, ">I", HUGE),
        "stsc count": (b"stsc", 4, ">I", HUGE),
        "stsc samples per chunk": (b"stsc", 12, ">I", HUGE),
        "stco count": (b"stco", 4, ">I", HUGE),
        "ctts count": (b"ctts", 4, ">I", HUGE),
        "stss count": (b"stss", 4, ">I", HUGE),
        "tkhd size": (b"tkhd", 76, ">HHHH", 65535, 0, 65535, 0),
        "avc1 size": (b"avc1", 24, ">HH", 65535, 65535),
        "mdhd no time scale": (b"mdhd", 12, ">I", 0),
        "mdhd time scale": (b"mdhd", 12, ">I", HUGE),
        "moov size": (b"moov", -8, ">I", 2**31),
        "moov size 7": (b"moov", -8, ">I", 7),
        "mdat size": (b"mdat", -8, ">I", HUGE),
        "trak size": (b"trak", -8, ">I", HUGE),
        "avcC size": (b"avcC", -8, ">I", 2**30),
        "elst count": (b"elst", 4, ">I", HUGE),
        "encrypted": (b"avc1", -4, ">4s", b"encv"),
    }
    for what, patched in fields.items():
        yield f"mp4 {what}", "a.mp4", holding(patch(mp4, *patched))
    endless = patch(mp4, b"stsc", 12, ">I", HUGE)
    yield "mp4 endless index", "a.mp4", holding(patch(endless, b"stsz", 4, ">II", 1, HUGE))
    yield "mp4 long box", "a.mp4", holding(mp4 + struct.pack(">I4sQ", 1, b"free", 2**63 - 1))
    yield (
        "mkv segment",
        "a.mkv",
        holding(patch(mkv, b"\x18\x53\x80\x67", 0, ">Q", 2**56 - 2 + 2**56)),
    )
    yield "mkv cluster", "a.mkv", holding(patch(mkv, b"\x1f\x43\xb6\x75", 0, ">Q", 2**56 + 2**40))
    yield "mkv tracks", "a.mkv", holding(patch(mkv, b"\x16\x54\xae\x6b", 0, ">Q", 2**56 + 2**30))
    yield "mkv private data", "a.mkv", holding(patch(mkv, b"\x63\xa2", 0, ">I", 0x1FFFFFF0))
    yield "mp4 2000 streams", "a.mp4", holding(_with_tracks(mp4, 2000))
    yield "mp4 900 streams", "a.mp4", holding(_with_tracks(mp4, 900))


def _with_tracks(mp4: bytes, n_tracks: int) -> bytes:
    """Repeat the one track of a file whose index is its last part."""
    moov, trak = mp4.index(b"moov") - 4, mp4.index(b"trak") - 4
    n_bytes = int.from_bytes(mp4[trak : trak + 4], "big")
    inner = mp4[moov + 8 : trak] + mp4[trak : trak + n_bytes] * n_tracks
    return mp4[:moov] + struct.pack(">I4s", len(inner) + 8, b"moov") + inner


def too_large(content: dict[str, bytes]) -> Iterator[tuple[str, str, Maker]]:
    """Frames that say they are larger than any camera's."""
    for name, mark, offset, layout in (
        ("vp8.webm", b"\x9d\x01\x2a", 0, "<HH"),  # in the first keyframe alone
        ("raw.avi", b"strf", 8, "<ii"),
        ("mjpeg.avi", b"\xff\xc0", 3, ">HH"),
        ("moving.gif", b"GIF89a", 0, "<HH"),
    ):
        for size in (16383, 8000):
            patched = patch(content[name], mark, offset, layout, size, size)
            yield f"{name} of {size} px", name, holding(patched)
    endless = patch(content["raw.avi"], b"strf", 8, "<ii", 2**31 - 1, 2**31 - 1)
    yield "raw.avi of 2^31 px", "a.avi", holding(endless)
