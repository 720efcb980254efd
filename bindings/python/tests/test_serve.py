"""`blan serve` over HTTP: a real server on a port of this machine."""

from __future__ import annotations

import base64
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import blan
import numpy as np
import pytest
from blan.report import png
from serving import Server


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server("--max-wait-ms", "50") as running:
        yield running


@pytest.fixture(scope="module")
def network() -> blan.Model:
    return blan.load()


@pytest.fixture(scope="module")
def two_faces(whole_photo) -> bytes:
    """The bundled photo beside itself, reduced and mirrored."""
    pixels = blan.read_image(whole_photo)
    right = np.zeros_like(pixels)
    right[100:300, 100:300] = pixels[::2, ::-2]
    return png.encode(np.hstack([pixels, right]))


def of_library(predictions: list[blan.Prediction]) -> list[dict]:
    """The faces as the server answers them."""
    return [
        {key: value for key, value in prediction.to_dict().items() if key not in ("source", "trained")}
        for prediction in predictions
    ]


def picture(address: str) -> np.ndarray:
    kind, _, content = address.partition(",")
    assert kind == "data:image/png;base64"
    return blan.read_image(base64.b64decode(content))


def begun(server: Server, length: int, kind: str = "image/jpeg") -> socket.socket:
    """A connection on which the headers of an upload were sent, and the server waits for `length` bytes."""
    host, port = server.url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=30)
    lines = ("POST /predict HTTP/1.1", f"Host: {host}:{port}", f"Content-Type: {kind}", f"Content-Length: {length}")
    connection.sendall("\r\n".join((*lines, "Expect: 100-continue", "Connection: close", "", "")).encode())
    assert connection.recv(100).startswith(b"HTTP/1.1 100")  # so the request is being worked on
    return connection


def ended(connection: socket.socket) -> bytes:
    """All that comes until the server closes."""
    pieces = []
    while piece := connection.recv(65536):
        pieces.append(piece)
    connection.close()
    return b"".join(pieces)


def test_one_photo_is_what_the_library_says(server, network, whole_photo):
    response = server.predict(whole_photo)
    assert response.status_code == 200
    answer = response.json()
    assert answer["trained"] is True
    (photo,) = answer["photos"]
    expected = of_library(network.predict(whole_photo))
    assert photo == {"name": whole_photo.name, "width": 400, "height": 400, "found": 1, "faces": expected}
    assert "Smiling" in photo["faces"][0]["attributes"]


def test_many_photos_keep_their_order_and_a_bad_one_is_named(server, network, whole_photo, two_faces):
    blank = png.encode(np.full((60, 80, 3), 200, dtype=np.uint8))
    response = server.predict(whole_photo, b"no photo", blank, two_faces)
    assert response.status_code == 200
    first, bad, none, two = response.json()["photos"]
    assert first["faces"] == of_library(network.predict(whole_photo))
    message = "photo 2 of 4 (bytes): the image in memory is neither a JPEG nor a PNG file"
    assert bad == {"name": "bytes", "error": {"type": "UnsupportedError", "message": message}}
    assert none == {"name": "bytes", "width": 80, "height": 60, "found": 0, "faces": []}
    assert two["found"] == 2
    assert two["faces"] == of_library(network.predict(two_faces))


def test_a_body_that_is_a_photo(server, network, whole_photo):
    for kind in ("image/jpeg", "application/octet-stream"):
        response = server.client.post("/predict", content=whole_photo.read_bytes(), headers={"Content-Type": kind})
        assert response.status_code == 200
        assert response.json()["photos"][0]["faces"] == of_library(network.predict(whole_photo))


def test_aligned_crops(server, network, photo):
    (answer,) = server.predict(photo, aligned=True).json()["photos"]
    expected = of_library([network.predict(photo, aligned=True)])
    assert answer == {"name": photo.name, "width": 178, "height": 218, "faces": expected}


def test_attention_comes_as_pictures(server, network, whole_photo):
    (answer,) = server.predict(whole_photo, attention="true").json()["photos"]
    (face,) = answer["faces"]
    (expected,) = network.predict(whole_photo, attention=True)
    assert [face["probabilities"][name] for name in expected.names] == expected.probabilities.tolist()
    detector = blan.Detector()
    assert np.array_equal(picture(face["crop"]), detector.align(whole_photo, detector.detect(whole_photo)[0]))
    assert [level["size"] for level in face["attention"]] == [len(level) for level in expected.attention]
    for level, values in zip(face["attention"], expected.attention, strict=True):
        assert (level["low"], level["high"]) == (float(values.min()), float(values.max()))
        assert picture(level["picture"]).shape == (128, 128, 3)


def test_only_so_many_faces(server, two_faces):
    both = server.predict(two_faces).json()["photos"][0]
    (answer,) = server.predict(two_faces, max_faces=1).json()["photos"]
    assert answer["found"] == 2
    assert answer["faces"] == both["faces"][:1]


def test_no_photo_that_can_be_read(server, whole_photo):
    response = server.predict(whole_photo.read_bytes()[:9000])
    assert response.status_code == 422
    error = response.json()["photos"][0]["error"]
    assert error["type"] == "FormatError"
    assert error["message"].startswith("bytes: the image in memory is damaged")


@pytest.mark.parametrize(
    ("status", "kind", "request_"),
    [
        (415, "content_type", {"content": b"{}", "headers": {"Content-Type": "application/json"}}),
        (415, "content_type", {}),
        (400, "no_photo", {"content": b"", "headers": {"Content-Type": "image/png"}}),
        (400, "no_photo", {"files": [("note", (None, "text"))]}),
        (400, "form", {"content": b"--x\r\nContent", "headers": {"Content-Type": "multipart/form-data; boundary=x"}}),
        (400, "form", {"content": b"something", "headers": {"Content-Type": "multipart/form-data; boundary=x"}}),
        (400, "query", {"params": {"alligned": "true"}}),
        (400, "query", {"params": {"max_faces": "-1"}}),
        (403, "cross_site", {"headers": {"Origin": "https://example.org"}}),
        (413, "too_many_photos", {"files": [("photos", ("a", b"x"))] * 17}),
    ],
)
def test_requests_that_are_refused(server, status, kind, request_):
    before = server.metric(f'blan_rejected_total{{reason="{kind}"}}')
    response = server.client.post("/predict", **request_)
    assert (response.status_code, response.json()["error"]["type"]) == (status, kind)
    if kind != "query":
        assert server.metric(f'blan_rejected_total{{reason="{kind}"}}') == before + 1


def test_a_page_of_the_server_itself_may_ask(server, whole_photo):
    files = [("photos", ("a", whole_photo.read_bytes()))]
    assert server.client.post("/predict", files=files, headers={"Origin": server.url}).status_code == 200


def test_other_paths_and_methods(server):
    for method, path, status in (("GET", "/nowhere", 404), ("GET", "/predict", 405), ("POST", "/model", 405)):
        response = server.client.request(method, path)
        assert response.status_code == status
        assert response.json()["error"]["message"]


def test_what_the_server_tells_of_itself(server, network):
    assert server.client.get("/healthz").text == "ok\n"
    assert server.client.get("/readyz").text == "ready\n"
    answer = server.client.get("/model").json()
    assert answer["version"] == blan.system().version
    assert (answer["model"], answer["trained"], answer["input_size"]) == ("default.safetensors", True, 128)
    assert tuple(answer["names"]) == network.names
    assert list(answer["thresholds"].values()) == network.thresholds.tolist()
    assert answer["limits"]["pixels"] == 25_000_000
    schema = server.client.get("/openapi.json").json()
    assert {"/predict", "/model", "/healthz", "/readyz", "/metrics"} == set(schema["paths"])


def test_every_answer_is_locked_down(server):
    for path in ("/", "/page.js", "/model", "/nowhere"):
        headers = server.client.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert "server" not in headers
    assert server.client.get("/model").headers["Cache-Control"] == "no-store"


def test_the_page_needs_nothing_from_elsewhere(server):
    page = server.client.get("/").text
    names = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert set(names) == {"/icon.svg", "/report.css", "/page.css", "/page.js"}
    assert "<script>" not in page and "style=" not in page
    for name in [*names, "/faces.js"]:
        response = server.client.get(name)
        assert response.status_code == 200
        assert set(re.findall(r"https?://[\w.]+", response.text)) <= {"http://www.w3.org"}  # SVG's namespace
        again = server.client.get(name, headers={"If-None-Match": response.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")


def test_requests_are_predicted_together(server, network, whole_photo, two_faces):
    photos = [whole_photo.read_bytes(), two_faces] * 12
    expected = [of_library(faces) for faces in network.predict(photos)]
    before = [server.metric(f"blan_batch_size_{part}") for part in ("sum", "count")]
    with ThreadPoolExecutor(len(photos)) as pool:
        answers = list(pool.map(server.predict, photos))
    assert [answer.json()["photos"][0]["faces"] for answer in answers] == expected
    faces, batches = (
        server.metric(f"blan_batch_size_{part}") - old for part, old in zip(("sum", "count"), before, strict=True)
    )
    assert faces == 36
    assert batches <= 18  # two faces a call or more in the mean
    single = server.metric('blan_batch_size_bucket{le="1.0"}')
    assert single < server.metric("blan_batch_size_count")


def test_metrics_count_requests_and_faces(server, two_faces):
    names = ('blan_requests_total{path="/predict",status="200"}', "blan_photos_total", "blan_faces_total")
    names += ('blan_request_seconds_count{path="/predict"}', "blan_photo_seconds_count")
    before = [server.metric(name) for name in names]
    server.predict(two_faces, two_faces)
    after = [server.metric(name) for name in names]
    assert [new - old for new, old in zip(after, before, strict=True)] == [1, 2, 4, 1, 2]
    assert server.metric("blan_queue_photos") == server.metric("blan_queue_faces") == 0
    assert server.client.get("/metrics").headers["Content-Type"].startswith("text/plain; version=")


def test_sizes_are_limited(photo, whole_photo):
    with Server("--max-mb", "0.05", "--max-pixels", "100000", "--max-photos", "2") as server:
        large = bytes(60_000)
        response = server.predict(large)
        assert (response.status_code, response.json()["error"]["type"]) == (413, "too_many_bytes")
        pieces = iter([large[:30_000]] * 2)  # without a Content-Length
        response = server.client.post("/predict", content=pieces, headers={"Content-Type": "image/png"})
        assert (response.status_code, response.json()["error"]["type"]) == (413, "too_many_bytes")
        response = server.predict(whole_photo)
        assert response.status_code == 422
        message = "the image in memory has 400x400 pixels; the limit is 100000 (maximum_pixels)"
        assert response.json()["photos"][0]["error"]["message"] == f"{whole_photo.name}: {message}"
        assert server.metric('blan_rejected_total{reason="too_many_pixels"}') == 1
        bomb = png.encode(np.zeros((2000, 2000, 3), dtype=np.uint8))
        assert len(bomb) < 50_000
        first, second = server.predict(photo, bomb, aligned=True).json()["photos"]
        assert len(first["faces"]) == 1 and "2000x2000" in second["error"]["message"]
        assert server.predict(photo, photo, photo).json()["error"]["type"] == "too_many_photos"


def test_clients_are_limited_and_need_the_token(photo):
    with Server("--rate", "0.01", "--burst", "3", BLAN_SERVE_TOKEN="open sesame".replace(" ", "-")) as server:
        for path in ("/model", "/metrics"):
            response = server.client.get(path)
            assert (response.status_code, response.headers["WWW-Authenticate"]) == (401, 'Bearer realm="blan"')
        assert server.client.get("/").status_code == server.client.get("/healthz").status_code == 200
        statuses = []
        for token in ("", "Bearer open", "Bearer open-sesame", "Bearer open-sesame"):
            response = server.client.post(
                "/predict",
                content=photo.read_bytes(),
                headers={"Content-Type": "image/jpeg", "Authorization": token},
            )
            statuses.append(response.status_code)
        assert statuses == [401, 401, 200, 429]
        assert 1 <= int(response.headers["Retry-After"]) <= 100
        server.client.headers["Authorization"] = "bearer open-sesame"
        assert server.metric('blan_rejected_total{reason="rate"}') == 1
        assert server.metric('blan_rejected_total{reason="unauthorized"}') == 4


def test_a_full_queue_a_client_that_leaves_and_one_that_dawdles(photo):
    with Server("--max-queue", "1", "--max-photos", "1", "--timeout", "2") as server:
        connection = begun(server, 1000)
        response = server.predict(photo)
        assert (response.status_code, response.json()["error"]["type"]) == (503, "queue_full")
        assert response.headers["Retry-After"] == "1"
        assert server.client.get("/readyz").status_code == 503
        assert server.metric("blan_queue_photos") == 1
        connection.close()
        deadline = time.monotonic() + 10
        while server.metric("blan_queue_photos") and time.monotonic() < deadline:
            time.sleep(0.02)
        assert server.metric('blan_rejected_total{reason="disconnected"}') == 1
        assert server.predict(photo).status_code == 200
        assert ended(begun(server, 1000)).startswith(b"HTTP/1.1 408")
        assert server.predict(photo).status_code == 200


def test_sigterm_finishes_what_was_accepted(photo):
    content = photo.read_bytes()
    with Server("--access-log") as server:
        connection = begun(server, len(content))
        server.process.terminate()
        deadline = time.monotonic() + 10
        while not refuses_connections(server) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert server.process.poll() is None
        connection.sendall(content)
        answer = ended(connection)
        assert answer.startswith(b"HTTP/1.1 200") and b'"probabilities"' in answer
        assert server.process.wait(timeout=30) == 0
        server.stop()
        assert "stopped" in server.log[-1]
        assert any('"POST /predict HTTP/1.1" 200' in line for line in server.log)


def refuses_connections(server: Server) -> bool:
    host, port = server.url.removeprefix("http://").split(":")
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


def test_it_says_when_others_can_reach_it_and_is_quiet_otherwise():
    with Server("--host", "0.0.0.0") as server:
        assert "warning" in server.log[0] and "0.0.0.0" in server.log[0] and "ANYONE" in server.log[0]
        assert server.stop() == 0
    with Server() as server:
        assert len(server.log) == 1 and "127.0.0.1" in server.log[0]
        again = [sys.executable, "-m", "blan.cli", "serve", "--port", server.url.rpartition(":")[2]]
        result = subprocess.run(again, capture_output=True, text=True, timeout=60, check=False)
        assert result.returncode == 1
        assert re.search(r"error: cannot listen on 127.0.0.1, port \d+: Address already in use", result.stderr)


def test_nothing_is_written_to_the_disk(server, whole_photo):
    """A form beyond what parsers of forms usually keep in memory opens no file."""
    connection = begun(server, 3_000_000, "multipart/form-data; boundary=xyz")
    head = b'--xyz\r\nContent-Disposition: form-data; name="photos"; filename="a.jpg"\r\n\r\n'
    connection.sendall(head + bytes(2_500_000))
    deadline = time.monotonic() + 0.5
    while time.monotonic() < deadline:
        files = [str(link.readlink()) for link in Path(f"/proc/{server.process.pid}/fd").iterdir() if link.is_symlink()]
        assert not [name for name in files if name.startswith("/tmp") or "deleted" in name]
        time.sleep(0.05)
    connection.close()
    large = png.encode(np.random.default_rng(0).integers(0, 256, (900, 900, 3), dtype=np.uint8))
    assert len(large) > 2_000_000
    assert server.predict(large).status_code == 200


def test_the_extra_is_named_where_it_is_missing():
    code = "import sys; sys.modules['fastapi'] = None; import blan.cli; sys.argv = ['blan', 'serve']; blan.cli.main()"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 1
    assert "pip install 'blan[serve]'" in result.stderr
