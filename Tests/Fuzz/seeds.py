"""Writes the first inputs of the fuzz targets to build/fuzz/corpus/TARGET. Usage: python Tests/Fuzz/seeds.py

They are made here, or are the small images and MATLAB files of Tests/Fixtures; no photo of a person is among them.
Needs build/lib/libblan.so for the model files.
"""

from __future__ import annotations

import contextlib
import json
import os
import struct
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CORPUS = ROOT / "build" / "fuzz" / "corpus"
FIXTURES = ROOT / "Tests" / "Fixtures"
NAMES = ["Smiling", "Young", "Male"]
LARGEST_IMAGE = 2048

sys.path.insert(0, str(ROOT / "bindings" / "python" / "src"))

import blan  # noqa: E402


def write(target: str, name: str, content: bytes) -> None:
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"seed-{name}").write_bytes(content)


def header_and_padding(content: bytes) -> bytes:
    """A safetensors file as the target `model` reads it: without its tensors, of which only the size is kept."""
    (length,) = struct.unpack_from("<Q", content)
    return content[: 8 + length] + struct.pack("<I", len(content) - 8 - length)


def metadata(content: bytes, key: str) -> bytes:
    return blan_header(content)["__metadata__"][key].encode()


def blan_header(content: bytes) -> dict:
    (length,) = struct.unpack_from("<Q", content)
    return json.loads(content[8 : 8 + length])


def models(folder: Path) -> None:
    for variant in (1, 3, 6):
        path = folder / f"v{variant}.safetensors"
        blan.init(path, width=4, input_size=64, variant=variant, attributes=NAMES)
        write("model", f"v{variant}", header_and_padding(path.read_bytes()))
    write("model", "detector", header_and_padding((ROOT / "models" / "mtcnn.safetensors").read_bytes()))
    tiny = b'{"__metadata__":{"format":"x"},"a":{"dtype":"F16","shape":[2,3],"data_offsets":[0,12]}}'
    write("model", "tiny", struct.pack("<Q", len(tiny)) + tiny + struct.pack("<I", 12))
    good = metadata((folder / "v6.safetensors").read_bytes(), "blan.config")
    write("config", "new", good)
    fitted = good[:-1] + b',"thresholds":[0.5,0.25,0.75],"temperatures":[1,1.5,0.5],"trained":true}'
    write("config", "calibrated", fitted.replace(b'"trained":false,', b""))


def checkpoints(folder: Path) -> None:
    """Of a run that was cut off in its second epoch, as the target makes it, too."""
    os.chdir(folder)
    photo = (FIXTURES / "images" / "rgb.png").read_bytes()
    rows = ["path,Smiling,Young,Male"]
    for index in range(4):
        Path(f"{index}.png").write_bytes(photo)
        rows.append(f"{index}.png,{index % 2},1,0")
    Path("faces.csv").write_text("\n".join(rows) + "\n")
    data = blan.Dataset.open("faces.csv")
    for accumulate, stop_after in ((1, 2), (3, 4)):
        trainer = blan.Trainer(
            width=4, input_size=64, attributes=NAMES, threads=1, average_decay=0.5, accumulate=accumulate
        )
        seen = 0

        def stop(_progress: blan.Progress, most: int = stop_after) -> bool:
            nonlocal seen
            seen += 1
            return seen < most

        with contextlib.suppress(blan.CancelledError):
            trainer.fit(data, epochs=2, batch=2, workers=1, on_progress=stop)
        trainer.save("checkpoint.safetensors")
        content = Path("checkpoint.safetensors").read_bytes()
        training, config = metadata(content, "blan.training"), metadata(content, "blan.config")
        write("checkpoint", f"accumulate-{accumulate}", training)
        write("checkpoint", f"both-{accumulate}", training + b"\0" + config)
    write("checkpoint", "whole", b"\0" + header_and_padding(content))
    os.chdir(ROOT)


def images() -> None:
    for path in sorted((FIXTURES / "images").glob("*.*g")):
        if path.stat().st_size <= LARGEST_IMAGE:
            write("image", path.name, path.read_bytes())
    for order, name in (("<", b"II"), (">", b"MM")):
        directory = struct.pack(order + "H", 2) + struct.pack(order + "HHII", 0x0100, 4, 1, 24)
        directory += struct.pack(order + "HHIHH", 0x0112, 3, 1, 6, 0) + struct.pack(order + "I", 0)
        block = name + struct.pack(order + "HI", 42, 8) + directory
        write("exif", f"block-{name.decode()}", b"\0" + block)
        segment = b"Exif\0\0" + block
        write("exif", f"segment-{name.decode()}", b"\1\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment)


def tables() -> None:
    write(
        "csv", "groups", b'\0path,split,A,"B, b",age\na.png,train,1,0,old\n"b,""2.png",test,,1,\nc.png,val,0,1,young\n'
    )
    write("csv", "signed", b"\7path,Smiling\r\n/x/1.jpg,-1\r\n/x/2.jpg, 1.0\r\n/x/3.jpg,+1\r\n")
    write("csv", "wanted", b"\5\xef\xbb\xbfpath,Smiling,A\n1.jpg,1,0\n2.jpg,,1\n")
    labels = b"3\nA B C\n1.jpg 1 -1 1\n2.jpg -1 1 0\n3.jpg  1  1  1\n"
    partition = b"1.jpg 0\n2.jpg 1\n3.jpg 2\n"
    write("celeba", "all", b"\0" + labels)
    write("celeba", "train", b"\1" + labels + b"\0" + partition)
    write("celeba", "test", b"\3" + labels.replace(b"\n", b"\r\n") + b"\0" + partition)
    text = b"A B\nAnn_Lee/Ann_Lee_0001.jpg 1 0\nBo_0001.jpg 0 1\n"
    for choice in (0, 1, 3, 5, 6):
        write("lfwa", f"names-{choice}", bytes([choice]) + text)
    write("lfwa", "rows", b"\0A B\n1 0\n0 1\n1 1\n0 0\n")


def matrices() -> None:
    for path in sorted((FIXTURES / "mat").glob("*.mat")):
        if path.name == "indices_train_test.mat":
            write("mat", "protocol-train", b"\3" + path.read_bytes())
            write("mat", "protocol-test", b"\1" + path.read_bytes())
        else:
            write("mat", path.name, b"\0" + path.read_bytes())


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        models(Path(name))
        checkpoints(Path(name))
    images()
    tables()
    matrices()


if __name__ == "__main__":
    main()
