"""The parts of the server by themselves: batches, limits, forms."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from blan import InvalidArgumentError
from blan.serve import Settings, uploads
from blan.serve.batching import Batcher
from blan.serve.limits import Gate, RateLimiter
from blan.serve.refusals import Refusal
from blan.serve.server import _listening


class Work:
    """Doubles numbers, and notes how many came at a time."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []

    def __call__(self, items: Sequence[int]) -> list[int]:
        self.calls.append(list(items))
        if -1 in items:
            raise ValueError("no -1")
        return [2 * item for item in items]


def batched(use: Callable, *, max_batch: int = 4, max_wait: float = 0.05, expecting: bool = True) -> list[list[int]]:
    """Runs something with a batcher; what the batcher's calls were."""
    work = Work()

    async def run() -> None:
        with ThreadPoolExecutor(1) as executor:
            batcher = Batcher(work, executor, max_batch=max_batch, max_wait=max_wait, expecting=lambda: expecting)
            batcher.start()
            await use(batcher)
            await batcher.stop()

    asyncio.run(run())
    return work.calls


def test_callers_share_batches():
    async def use(batcher: Batcher) -> None:
        results = await asyncio.gather(*(batcher.submit([i, 10 * i]) for i in range(5)))
        assert results == [[2 * i, 20 * i] for i in range(5)]

    calls = batched(use)
    assert [len(call) for call in calls] == [4, 4, 2]
    assert [item for call in calls for item in call] == [0, 0, 1, 10, 2, 20, 3, 30, 4, 40]


def test_a_batch_waits_for_those_on_their_way():
    async def use(batcher: Batcher) -> None:
        first = asyncio.create_task(batcher.submit([1]))
        await asyncio.sleep(0.02)
        await batcher.submit([2])
        await first

    assert batched(use, max_wait=5, max_batch=2) == [[1, 2]]
    assert batched(use, max_wait=5, max_batch=2, expecting=False) == [[1], [2]]


def test_an_error_reaches_those_of_its_batch_alone():
    async def use(batcher: Batcher) -> None:
        results = await asyncio.gather(batcher.submit([1, -1]), batcher.submit([3]), return_exceptions=True)
        assert isinstance(results[0], ValueError)
        assert results[1] == [6]

    assert batched(use, max_batch=2) == [[1, -1], [3]]


def test_who_goes_away_takes_the_work_along():
    async def use(batcher: Batcher) -> None:
        leaver = asyncio.create_task(batcher.submit([1, 2]))
        stayer = asyncio.create_task(batcher.submit([3]))
        await asyncio.sleep(0.01)
        leaver.cancel()
        assert await stayer == [6]

    assert batched(use, max_wait=0.2, max_batch=8) == [[3]]


def test_nothing_is_as_good_as_no_photo():
    async def use(batcher: Batcher) -> None:
        assert await batcher.submit([]) == []

    assert batched(use) == []


def test_a_bucket_refills():
    now = 0.0
    limiter = RateLimiter(2, 3, lambda: now)
    for _ in range(3):
        limiter.take("10.0.0.1")
    limiter.take("10.0.0.2")
    with pytest.raises(Refusal) as refusal:
        limiter.take("10.0.0.1")
    assert (refusal.value.status, refusal.value.headers) == (429, {"Retry-After": "1"})
    now = 0.5
    limiter.take("10.0.0.1")
    with pytest.raises(Refusal):
        limiter.take("10.0.0.1")
    now = 1000
    for _ in range(3):
        limiter.take("10.0.0.1")
    with pytest.raises(Refusal):
        limiter.take("10.0.0.1")


def test_a_network_of_ipv6_is_one_client():
    limiter = RateLimiter(1, 1, lambda: 0.0)
    limiter.take("2001:db8::1")
    limiter.take("2001:db8:0:1::1")
    limiter.take("::ffff:10.0.0.1")
    for address in ("2001:db8::2", "2001:db8::1%eth0", "10.0.0.1"):
        with pytest.raises(Refusal):
            limiter.take(address)


def test_many_clients_are_forgotten_and_none_is_no_limit():
    limiter = RateLimiter(1, 1, lambda: 0.0)
    for number in range(20_000):
        limiter.take(f"10.0.{number // 256}.{number % 256}")
    assert len(limiter._buckets) == 10_000
    free = RateLimiter(0, 1, lambda: 0.0)
    for _ in range(100):
        free.take("10.0.0.1")


def test_a_gate_counts():
    gate = Gate(3)
    gate.enter(2)
    with pytest.raises(Refusal) as refusal:
        gate.enter(2)
    assert refusal.value.status == 503 and refusal.value.headers["Retry-After"] == "1"
    gate.leave(2)
    gate.enter(3)


def read(content_type: str, body: bytes, *, step: int = 1 << 16, length: str | None = None, **limits: float) -> list:
    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), step):
            yield body[start : start + step]

    options = {"max_bytes": 10_000, "max_photos": 3, "timeout": 5} | limits
    return asyncio.run(uploads.read(content_type, length, pieces(), **options))


FORM = (
    b'--xyz\r\nContent-Disposition: form-data; name="photos"; filename="\xc3\xa4.jpg"\r\n'
    b"Content-Type: image/jpeg\r\n\r\nfirst\r\n--xy\r\nstill\r\n"
    b'--xyz\r\nContent-Disposition: form-data; name="note"\r\n\r\nno file\r\n'
    b'--xyz\r\nContent-Disposition: form-data; name="photos"; filename=""\r\n\r\n\r\n'
    b'--xyz\r\nContent-Disposition: form-data; name="more"; filename="b"\r\n\r\n\r\n--xyz--\r\n'
)
MULTIPART = "multipart/form-data; boundary=xyz"


@pytest.mark.parametrize("step", [1, 2, 3, 7, 50, 1000])
def test_forms_in_pieces_of_any_size(step):
    assert read(MULTIPART, FORM, step=step) == [
        uploads.Upload("ä.jpg", b"first\r\n--xy\r\nstill"),
        uploads.Upload("b", b""),
    ]


def test_a_form_that_is_cut_off_is_refused_wherever():
    for cut in range(len(FORM) - len(b"--\r\n")):
        with pytest.raises(Refusal) as refusal:
            read(MULTIPART, FORM[:cut])
        assert refusal.value.status == 400


def test_limits_of_an_upload():
    assert len(read("image/png", b"x" * 10_000)[0].content) == 10_000
    for body, length in ((b"x" * 10_001, None), (b"", "10001")):
        with pytest.raises(Refusal) as refusal:
            read("image/png", body, length=length)
        assert (refusal.value.status, refusal.value.reason) == (413, "too_many_bytes")
    with pytest.raises(Refusal) as refusal:
        read(MULTIPART, FORM, max_photos=1)
    assert (refusal.value.status, refusal.value.reason) == (413, "too_many_photos")


def test_answers_do_not_wait_for_acknowledgements():
    with _listening("localhost", 0) as listener, socket.create_connection(listener.getsockname()[:2]):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_batch", 0),
        ("port", 70_000),
        ("min_face", 11),
        ("rate", -1),
        ("rate", float("nan")),
        ("max_photos", 65),
        ("token", "two words"),
        ("token", "schlüssel"),
    ],
)
def test_settings_out_of_range(name, value):
    with pytest.raises(InvalidArgumentError, match=name):
        Settings(**{name: value})
