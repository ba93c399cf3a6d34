"""Every way a folder can be wrong gives one InputError line that names the file and what is accepted."""

from __future__ import annotations

import json
import os
import struct
import zlib

import numpy as np
import pytest
import soundfile
from PIL import Image

from hartley.data.folder import FolderData
from hartley.errors import InputError

SIZE = (16, 16)


def header_only_png(width: int, height: int) -> bytes:
    """A PNG whose header claims a size; no pixels follow, so decoding it would fail, and reading the header does not."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", b"")
        + chunk(b"IEND", b"")
    )


def table(folder, text):
    (folder / "metadata.csv").write_text(text)


def rows(folder, change):
    """Rewrites each line below the header through change(number, line)."""
    header, *lines = (folder / "metadata.csv").read_text().splitlines()
    table(folder, "\n".join([header, *(change(i, line) for i, line in enumerate(lines))]))


def truncated(folder):
    whole = (folder / "000.png").read_bytes()
    (folder / "000.png").write_bytes(whole[: len(whole) // 2])


def jsonl(folder, line):
    (folder / "metadata.csv").unlink()
    (folder / "metadata.jsonl").write_text('{"file_name": "000.png", "caption": "x"}\n' + line)


def sounds(folder, samples, rate=16_000, suffix="wav", **options):
    soundfile.write(folder / f"s.{suffix}", samples, rate, **options)
    header, *lines = (folder / "metadata.csv").read_text().splitlines()
    table(folder, "\n".join([header + ",audio", *(f"{line},s.{suffix}" for line in lines)]))


def bad_sound_file(folder):
    sounds(folder, np.zeros(100))
    (folder / "s.wav").write_bytes(b"RIFF not really")


def one_row_without_sound(folder):
    sounds(folder, np.zeros(100))
    rows(folder, lambda i, line: line.replace("s.wav", "") if i == 7 else line)


def symlink_out(folder):
    outside = folder.parent / "outside.png"
    (folder / "000.png").rename(outside)
    (folder / "000.png").symlink_to(outside)


def table_link_out(folder):
    (folder / "metadata.csv").rename(folder.parent / "elsewhere.csv")
    (folder / "metadata.csv").symlink_to(folder.parent / "elsewhere.csv")


def loop(folder):
    (folder / "000.png").unlink()
    (folder / "000.png").symlink_to(folder / "000.png")


def pipe(folder):
    (folder / "000.png").unlink()
    os.mkfifo(folder / "000.png")


WRONG = {
    "truncated png": (truncated, ["000.png is cut off or damaged", "line 2", "whole PNG, JPEG, WebP and BMP files are accepted"]),
    "1x1": (lambda f: Image.new("RGB", (1, 1)).save(f / "000.png"), ["000.png has 1 x 1 pixels", "at least 8 x 8"]),
    "50 megapixels": (lambda f: (f / "000.png").write_bytes(header_only_png(10_000, 5_000)), ["50 megapixels", "fewer than 50 megapixels"]),
    "gigapixels": (lambda f: (f / "000.png").write_bytes(header_only_png(60_000, 60_000)), ["fewer than 50 megapixels"]),
    "a sliver": (lambda f: Image.new("RGB", (8, 200)).save(f / "000.png"), ["8 x 200 pixels", "1 to 20"]),
    "text as png": (lambda f: (f / "000.png").write_text("hello"), ["000.png is not a picture of a known type", "PNG, JPEG, WebP and BMP"]),
    "a gif": (lambda f: Image.new("RGB", (20, 20)).save(f / "000.png", format="GIF"), ["000.png is not a picture of a known type"]),
    "an empty file": (lambda f: (f / "000.png").write_bytes(b""), ["000.png is not a picture of a known type"]),
    "missing picture": (lambda f: (f / "007.png").unlink(), ["line 9", "'007.png' does not exist in"]),
    "pictures without captions": (
        lambda f: table(f, "\n".join((f / "metadata.csv").read_text().splitlines()[:-3])),
        ["3 pictures have no caption", "'057.png'", "add rows"],
    ),
    "missing table": (
        lambda f: (f / "metadata.csv").unlink(),
        ["60 pictures without captions", "metadata.csv or metadata.jsonl is needed"],
    ),
    "two tables": (lambda f: (f / "metadata.jsonl").write_text("{}"), ["both metadata.csv and metadata.jsonl"]),
    "empty table": (lambda f: table(f, ""), ["has no column file_name", "it has nothing"]),
    "no rows": (lambda f: table(f, "file_name,caption\n"), ["holds no rows", "file_name and caption"]),
    "no caption column": (lambda f: table(f, "file_name,title\n000.png,x\n"), ["no column caption", "'file_name', 'title'"]),
    "no file column": (lambda f: table(f, "image,caption\n000.png,x\n"), ["no column file_name", "'image', 'caption'"]),
    "column twice": (lambda f: table(f, "file_name,caption,caption\n000.png,x,y\n"), ["names a column twice"]),
    "caption without picture": (lambda f: rows(f, lambda i, line: ",lost," if i == 3 else line), ["line 5", "a caption without a picture"]),
    "empty caption": (
        lambda f: rows(f, lambda i, line: "003.png,  ,cat" if i == 3 else line),
        ["line 5", "the caption of '003.png' is empty"],
    ),
    "comma in text": (
        lambda f: rows(f, lambda i, line: "003.png,a, b,cat" if i == 3 else line),
        ["line 5", "has 4 fields, the header has 3"],
    ),
    "open quote": (lambda f: rows(f, lambda i, line: '003.png,"a,cat' if i == 3 else line), ["line 5", "is not valid CSV"]),
    "not utf-8": (lambda f: (f / "metadata.csv").write_bytes(b"file_name,caption\n000.png,caf\xe9\n"), ["is not UTF-8 text (byte 29)"]),
    "endless caption": (lambda f: rows(f, lambda i, line: f"003.png,{'x' * 10_001},cat" if i == 3 else line), ["10,001 characters"]),
    "half a surrogate": (lambda f: jsonl(f, '{"file_name": "001.png", "caption": "\\ud800"}'), ["line 2", "surrogate"]),
    "broken json line": (lambda f: jsonl(f, '{"file_name": '), ["metadata.jsonl line 2", "is not valid JSON"]),
    "json list": (lambda f: jsonl(f, "[1]"), ["line 2", "holds a list", "one JSON object a line"]),
    "deep json": (lambda f: jsonl(f, "[" * 200_000), ["line 2", "is not valid JSON"]),
    "caption a list": (
        lambda f: jsonl(f, '{"file_name": "001.png", "caption": ["x"]}'),
        ["line 2", "caption is a list", "a string is accepted"],
    ),
    "label a float": (lambda f: jsonl(f, '{"file_name": "1", "caption": "x", "label": 0.5}'), ["label is a float", "whole number"]),
    "one label": (lambda f: rows(f, lambda i, line: line.rsplit(",", 1)[0] + ",cat"), ["has the label 'cat'", "no information to measure"]),
    "labels all different": (lambda f: rows(f, lambda i, line: line + str(i)), ["60 labels for 60 pictures", "4 pictures a label"]),
    "a label missing": (lambda f: rows(f, lambda i, line: line.rsplit(",", 1)[0] + "," if i == 4 else line), ["line 6", "has no label"]),
    "two labels": (
        lambda f: (f / "metadata.csv").open("a").write("\n000.png,again,dog\n"),
        ["000.png has the labels 'cat' and 'dog'", "one a picture"],
    ),
    "parent path": (
        lambda f: rows(f, lambda i, line: "../x.png,x,cat" if i == 0 else line),
        ["line 2", "'../x.png' leads out of the folder"],
    ),
    "hidden parent": (lambda f: rows(f, lambda i, line: "a/../../x.png,x,cat" if i == 0 else line), ["leads out of the folder"]),
    "absolute path": (
        lambda f: rows(f, lambda i, line: "/etc/hostname,x,cat" if i == 0 else line),
        ["'/etc/hostname' leads out of the folder"],
    ),
    "windows path": (lambda f: rows(f, lambda i, line: "C:\\x.png,x,cat" if i == 0 else line), ["leads out of the folder"]),
    "link out": (symlink_out, ["'000.png' is a link that leads out of the folder"]),
    "table link out": (table_link_out, ["'metadata.csv' is a link that leads out of the folder"]),
    "link to itself": (loop, ["'000.png'", "cannot be read"]),
    "a pipe": (pipe, ["'000.png' is not a file"]),
    "a folder as picture": (lambda f: rows(f, lambda i, line: ".,x,cat" if i == 0 else line), ["'.' is not a file"]),
    "nan sound": (lambda f: sounds(f, np.full(100, np.nan), subtype="FLOAT"), ["s.wav holds NaN or infinite samples"]),
    "empty sound": (lambda f: sounds(f, np.zeros(0)), ["s.wav holds no samples"]),
    "loud sound": (lambda f: sounds(f, np.full(100, 3e4), subtype="FLOAT"), ["samples up to 30000", "[-1, 1]"]),
    "slow sound": (lambda f: sounds(f, np.zeros(100), rate=100), ["100 Hz", "4000 to 192000 Hz"]),
    "aiff sound": (lambda f: sounds(f, np.zeros(100), suffix="aiff"), ["s.aiff is AIFF", "WAV, FLAC and OGG"]),
    "not a sound": (bad_sound_file, ["s.wav is not a readable sound", "WAV, FLAC and OGG"]),
    "a sound missing": (one_row_without_sound, ["line 9", "has no audio"]),
    "sound outside": (
        lambda f: rows(f, lambda i, line: line) or sounds(f, np.zeros(9)) or rows(f, lambda i, line: line.replace("s.wav", "../s.wav")),
        ["'../s.wav' leads out of the folder"],
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_folder_gives_one_line_that_names_it(make_folder, case):
    folder = make_folder(60)
    spoil, words = WRONG[case]
    spoil(folder)
    with pytest.raises(InputError) as error:
        FolderData(folder, SIZE)
    message = str(error.value)
    assert "\n" not in message and len(message) < 500
    assert all(word in message for word in words), message


def test_a_folder_that_is_missing_or_a_file(tmp_path):
    with pytest.raises(InputError, match="nowhere: does not exist"):
        FolderData(tmp_path / "nowhere", SIZE)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file: is a file"):
        FolderData(tmp_path / "file", SIZE)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty: holds no pictures and no captions"):
        FolderData(tmp_path / "empty", SIZE)


def test_too_few_pictures(make_folder):
    with pytest.raises(InputError, match="names 39 pictures; at least 40"):
        FolderData(make_folder(39), SIZE)


@pytest.mark.parametrize("captions", [["the same"] * 40, [" ".join(["word"] * (i + 1)) for i in range(40)]])
def test_captions_that_cannot_be_told_apart(make_folder, captions):
    with pytest.raises(InputError, match="no information to measure"):
        FolderData(make_folder(40, label=False, captions=captions), SIZE)


def test_a_damaged_file_is_named_by_the_draw_when_nothing_was_checked_before(make_folder):
    import torch

    folder = make_folder(60)
    truncated(folder)
    data = FolderData(folder, SIZE, validate=False)

    def everything():
        return [data.draw(60, torch.Generator().manual_seed(0), part=part) for part in ("held-out", "train")]

    with pytest.raises(InputError, match=r"000\.png is cut off or damaged"):
        everything()


def test_control_characters_of_a_name_do_not_reach_the_message(make_folder):
    folder = make_folder(60)
    (folder / "metadata.csv").unlink()
    (folder / "metadata.jsonl").write_text(json.dumps({"file_name": "x\n\x1b[31m\u202e.png", "caption": "x"}))
    with pytest.raises(InputError) as error:
        FolderData(folder, SIZE)
    assert not any(letter in str(error.value) for letter in "\n\x1b\u202e")
