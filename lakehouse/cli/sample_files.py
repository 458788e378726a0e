# SPDX-License-Identifier: Apache-2.0
"""Real files to try a lake with, made on the spot: a table of readings, a list of stations, pictures from orbit."""

from __future__ import annotations

import importlib.util
import math
import random
import struct
import zlib
from pathlib import Path

import msgspec

STATIONS = 12_000
READINGS = 400_000
PICTURES = 3
WIDTH = 400
_KINDS = ("alpine", "crater", "delta", "glacial", "lagoon", "reservoir")


class SampleFile(msgspec.Struct, frozen=True):
    """A file on disk and the path that it shall have in the lake."""

    path: str
    file: Path
    content_type: str


def has_parquet() -> bool:
    """Whether Parquet can be written here (the extra `parquet`)."""
    return importlib.util.find_spec("pyarrow") is not None


def make_files(folder: Path) -> list[SampleFile]:
    """Some files of a few MB in all, the same at every call."""
    chance = random.Random(2026)  # noqa: S311  (sample data)
    files = [_stations(folder / "stations.csv", chance)]
    if has_parquet():
        files.append(readings(folder / "readings.parquet", scale=1.0))
    else:
        files.append(_readings_as_text(folder / "readings.csv", chance))
    for number in range(PICTURES):
        file = folder / f"orbit-{number}.png"
        file.write_bytes(_picture(number))
        files.append(SampleFile(f"images/{file.name}", file, "image/png"))
    return files


def readings(file: Path, *, scale: float) -> SampleFile:
    """A Parquet table of water levels; `scale` is what its levels are multiplied with. Needs `pyarrow`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    chance = random.Random(7)  # noqa: S311  (sample data)
    station = [chance.randrange(STATIONS) for _ in range(READINGS)]
    level = [round(scale * (100 + 40 * math.sin(number / 900) + chance.random() * 8), 3) for number in range(READINGS)]
    table = pa.table(
        {
            "station": pa.array(station, pa.int32()),
            "minute": pa.array(range(READINGS), pa.int32()),
            "level_cm": pa.array(level, pa.float64()),
        }
    )
    pq.write_table(table, file, compression="zstd")
    return SampleFile("tables/readings.parquet", file, "application/vnd.apache.parquet")


def _readings_as_text(file: Path, chance: random.Random) -> SampleFile:
    lines = ["station,minute,level_cm"]
    lines += [f"{chance.randrange(STATIONS)},{n},{100 + 40 * math.sin(n / 900):.3f}" for n in range(READINGS // 4)]
    file.write_text("\n".join(lines) + "\n")
    return SampleFile("tables/readings.csv", file, "text/csv")


def _stations(file: Path, chance: random.Random) -> SampleFile:
    lines = ["id,kind,latitude,longitude,depth_m"]
    lines += [
        f"{number},{chance.choice(_KINDS)},{chance.uniform(-60, 70):.5f},{chance.uniform(-180, 180):.5f},"
        f"{chance.expovariate(0.02):.1f}"
        for number in range(STATIONS)
    ]
    file.write_text("\n".join(lines) + "\n")
    return SampleFile("tables/stations.csv", file, "text/csv")


def _picture(number: int) -> bytes:
    """A PNG (RFC 2083) of waves around an island."""
    chance = random.Random(number)  # noqa: S311  (sample data)
    rows = []
    for y in range(WIDTH):
        row = bytearray(b"\0")
        for x in range(WIDTH):
            far = math.hypot(x - WIDTH * 0.4 - 40 * number, y - WIDTH / 2) / WIDTH
            wave = int(60 * math.sin(far * 40 + number)) + chance.randrange(24)
            row += bytes((30, 120 + wave // 2, 180 + wave // 3)) if far > 0.2 else bytes((90 + wave // 2, 150, 60))
        rows.append(bytes(row))
    header = struct.pack(">IIBBBBB", WIDTH, WIDTH, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"".join(rows), 6)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
