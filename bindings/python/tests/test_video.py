"""Faces in video: they keep their numbers and places, and nothing is copied, lost or half-written."""

from __future__ import annotations

import ctypes
import subprocess
import sys
import textwrap

import blan
import clips
import numpy as np
import pytest
from blan import detection
from blan.video.boxes import match, overlaps
from blan.video.smoothing import Smoother

cv2 = pytest.importorskip("cv2")

COUNT = 40


@pytest.fixture(scope="module")
def clip(whole_photo, tmp_path_factory):
    """The face moving through 40 frames, 1.6 s."""
    path = tmp_path_factory.mktemp("clips") / "clip.avi"
    return clips.write(cv2, path, clips.frames(cv2, whole_photo, COUNT))


def tracker(model, **options):
    return blan.FaceTracker(model, **options)


def watch(clip, model, **options):
    with blan.Video(clip, tracker(model, **options)) as video:
        return list(video)


@pytest.fixture(scope="module")
def watched(clip, model):
    return watch(clip, model, detect_every=5)


def test_one_face_keeps_its_number_and_its_place(watched):
    assert [frame.index for frame in watched] == list(range(COUNT))
    assert [len(frame.faces) for frame in watched] == [1] * COUNT
    assert {frame.faces[0].track for frame in watched} == {1}
    for frame in watched:
        left, top = clips.place(frame.index)
        expected = np.add(clips.BOX, (left, top, left, top))
        np.testing.assert_allclose(frame.faces[0].face.box, expected, atol=8)


def test_faces_are_detected_every_so_many_frames_and_followed_between(watched, whole_photo):
    assert [frame.index for frame in watched if frame.faces[0].detected] == list(range(0, COUNT, 5))
    # What flow says of the frames after a detection differs from the known motion by fractions of a pixel.
    for first in range(0, COUNT, 5):
        start = watched[first].faces[0].face.landmarks
        for later in range(first + 1, first + 5):
            motion = np.subtract(clips.place(later), clips.place(first))
            np.testing.assert_allclose(
                watched[later].faces[0].face.landmarks - start, motion[None].repeat(5, 0), atol=1
            )


def test_times_and_properties(clip, model):
    with blan.Video(clip, tracker(model)) as video:
        assert (video.width, video.height, video.fps) == (clips.WIDTH, clips.HEIGHT, clips.FPS)
        assert (video.frame_count, video.live, video.source) == (COUNT, False, str(clip))
        times = [frame.time for frame in video]
        assert next(video, None) is None
    np.testing.assert_allclose(times, np.arange(COUNT) / clips.FPS, atol=1e-3)


def test_predictions_are_those_of_the_aligned_face(clip, model, watched):
    detector = blan.Detector(min_face=40)
    frame = watched[10]
    (face,) = detector.detect(frame.pixels, color="bgr")
    expected = model.predict(detector.align(frame.pixels, face, color="bgr"), aligned=True)
    np.testing.assert_allclose(frame.faces[0].raw, expected.probabilities, atol=1e-6)
    for unsmoothed in watch(clip, model, smoothing=0)[:12]:
        shown = unsmoothed.faces[0]
        np.testing.assert_allclose(shown.prediction.probabilities, shown.raw, atol=2e-6)


def test_smoothing_makes_probabilities_vary_less(clip):
    model = blan.load()
    with blan.Video(clip, tracker(model, smoothing=0.5)) as video:
        faces = [frame.faces[0] for frame in video]
    raw = np.array([face.raw for face in faces])
    smoothed = np.array([face.prediction.probabilities for face in faces])
    jumps, smoothed_jumps = (np.square(np.diff(values, axis=0)).mean() for values in (raw, smoothed))
    assert 0 < smoothed_jumps < jumps / 4
    np.testing.assert_allclose(smoothed[0], raw[0], atol=2e-6)
    np.testing.assert_allclose(smoothed[-1], raw[-12:].mean(axis=0), atol=0.1)


def test_smoother_is_the_weighted_mean_of_log_odds():
    random, smoother = np.random.default_rng(3), Smoother(0.4)
    times, values = np.cumsum([0, 0.1, 0.05, 0.4, 0]), random.uniform(0.02, 0.98, (5, 3)).astype(np.float32)
    for i, (time, value) in enumerate(zip(times, values, strict=True)):
        result = smoother(value, time - times[max(i - 1, 0)])
        weights = np.exp((times[: i + 1] - time) / 0.4)[:, None]
        log_odds = np.log(values[: i + 1].astype(float) / (1 - values[: i + 1].astype(float)))
        mean = (weights * log_odds).sum(0) / weights.sum()
        np.testing.assert_allclose(result, 1 / (1 + np.exp(-mean)), atol=1e-6)
    extremes = Smoother(1)
    assert np.isfinite(extremes(np.array([0, 1], np.float32), 0)).all()
    assert extremes(np.array([1, 0], np.float32), 0) == pytest.approx([0.5, 0.5], abs=1e-6)


def test_boxes_match_by_overlap_the_largest_first():
    a, b, far = (0, 0, 10, 10), (5, 0, 15, 10), (50, 50, 60, 60)
    np.testing.assert_allclose(overlaps([a], [a, b, far]), [[1, 1 / 3, 0]])
    assert match([a, b], [b, far, a], 0.3) == [(0, 2), (1, 0)]
    assert match([a], [b], 0.34) == []
    assert match([], [a], 0.3) == match([a], [], 0.3) == []


def test_predict_every_leaves_the_frames_between_alone(clip, model):
    frames = watch(clip, model, predict_every=4)
    assert [frame.index for frame in frames if frame.faces[0].raw is not None] == list(range(0, COUNT, 4))
    kept = [frame.faces[0].prediction.probabilities for frame in frames]
    np.testing.assert_array_equal(kept[3], kept[0])


def test_a_hidden_face_is_not_given_and_comes_back_with_its_number(whole_photo, model):
    follower = tracker(model, detect_every=5, patience=0.5)
    hidden = range(8, 12)
    seen = {
        index: follower.update(frame, index / clips.FPS)
        for index, frame in enumerate(clips.frames(cv2, whole_photo, 20, without=hidden))
    }
    assert [index for index, faces in seen.items() if not faces] == list(hidden)
    assert {face.track for faces in seen.values() for face in faces} == {1}
    assert seen[12][0].detected  # it is looked for at once, not only every fifth frame


def test_a_face_hidden_for_longer_is_another(whole_photo, model):
    follower = tracker(model, patience=0.1)
    for index, frame in enumerate(clips.frames(cv2, whole_photo, 20, without=range(6, 15))):
        faces = follower.update(frame, index / clips.FPS)
    assert [face.track for face in faces] == [2] and follower.tracks == 2


def test_a_cut_ends_a_face(whole_photo, model):
    (frame,) = clips.frames(cv2, whole_photo, 1)
    follower = tracker(model, detect_every=100)
    assert len(follower.update(frame, 0)) == 1
    assert follower.update(cv2.flip(frame, 0), 0.04) == []
    smaller = np.ascontiguousarray(frame[:200])
    assert [face.track for face in follower.update(smaller, 0.08)] == [
        1
    ]  # another size of frame, the face in its place


def test_two_faces_keep_their_numbers(whole_photo, model):
    follower, given = tracker(model, detect_every=4), []
    head = cv2.imread(str(whole_photo))[clips.HEAD]
    for index, frame in enumerate(clips.frames(cv2, whole_photo, 12)):
        shown = np.concatenate([frame, np.full_like(frame, 90)], axis=1)
        left = 700 - 6 * index
        shown[40 : 40 + head.shape[0], left : left + head.shape[1]] = head[:, ::-1]
        given.append({face.track: face.face.landmarks[:, 0].mean() for face in follower.update(shown, index / 25)})
    assert [set(faces) for faces in given] == [{1, 2}] * 12
    first = min(given[0], key=given[0].get)
    assert all(faces[first] < faces[3 - first] for faces in given)
    assert given[-1][first] - given[0][first] == pytest.approx(55, abs=4)
    assert given[-1][3 - first] - given[0][3 - first] == pytest.approx(-66, abs=4)


class _Spy:
    """The library, which notes the images that its functions were given."""

    def __init__(self, library):
        self._library, self.images = library, []

    def __getattr__(self, name):
        function = getattr(self._library, name)
        if name not in ("blan_detect_faces", "blan_align_detected"):
            return function

        def call(*arguments):
            image = arguments[1 if name == "blan_detect_faces" else 0]._obj
            address = ctypes.cast(image.data, ctypes.c_void_p).value
            self.images.append((name, address, image.row_stride, image.width, image.height, image.format))
            return function(*arguments)

        return call


def test_frames_are_not_copied(clip, model, monkeypatch):
    spy = _Spy(detection.library())
    monkeypatch.setattr(detection, "library", lambda: spy)
    follower = tracker(model)
    spy.images.clear()
    with blan.Video(clip, follower) as video:
        frame = next(video)
    pixels = frame.pixels
    given = (pixels.ctypes.data, pixels.strides[0], clips.WIDTH, clips.HEIGHT, 1)  # BGR8
    assert spy.images == [("blan_detect_faces", *given), ("blan_align_detected", *given)]

    spy.images.clear()
    part = pixels[4:, 8:-8]
    tracker(model, detector=follower.detector).update(part, 0)
    given = (part.ctypes.data, pixels.strides[0], clips.WIDTH - 16, clips.HEIGHT - 4, 1)
    assert spy.images == [("blan_detect_faces", *given), ("blan_align_detected", *given)]


def test_colours_and_channels(whole_photo, model):
    (frame,) = clips.frames(cv2, whole_photo, 1)
    (expected,) = tracker(model).update(frame, 0)
    alpha = np.dstack([frame, np.zeros(frame.shape[:2], np.uint8)])
    for pixels, color in ((frame[:, :, ::-1].copy(), "rgb"), (frame[:, :, ::-1], "rgb"), (alpha, "bgr")):
        follower = tracker(model)
        (face,) = follower.update(pixels, 0, color=color)
        np.testing.assert_array_equal(face.raw, expected.raw)
        assert len(follower.update(pixels, 0.1, color=color)) == 1
    grey = tracker(model)
    assert len(grey.update(frame[:, :, 1], 0)) == len(grey.update(frame[:, :, 1], 0.1)) == 1


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"detect_every": 0}, "detect_every is 0"),
        ({"predict_every": -1}, "predict_every is -1"),
        ({"smoothing": float("nan")}, "smoothing is nan"),
        ({"patience": -0.1}, "patience is -0.1"),
        ({"threshold": 1.5}, "threshold is 1.5"),
    ],
)
def test_options_are_checked(model, options, text):
    with pytest.raises(blan.InvalidArgumentError, match=text):
        tracker(model, **options)


def test_frames_are_checked(model):
    with pytest.raises(blan.InvalidArgumentError, match="uint8"):
        tracker(model).update(np.zeros((20, 20, 3)), 0)
    with pytest.raises(blan.ShapeError):
        tracker(model).update(np.zeros((20, 20, 2), np.uint8), 0)


def test_sources_that_cannot_be_read(model, tmp_path, photo):
    with pytest.raises(blan.FileError, match=r"gone\.mp4: No such file"):
        blan.Video(tmp_path / "gone.mp4", tracker(model))
    with pytest.raises(blan.FileError, match="directory"):
        blan.Video(tmp_path, tracker(model))
    text = tmp_path / "text.mp4"
    text.write_text("no video" * 100)
    with pytest.raises(blan.FormatError, match=r"text\.mp4 is not a video"):
        blan.Video(text, tracker(model))
    with pytest.raises(blan.FileError, match="camera 63"):
        blan.Video(63, tracker(model))
    empty = tmp_path / "empty.avi"
    cv2.VideoWriter(str(empty), cv2.VideoWriter_fourcc(*"MJPG"), 25, (64, 64)).release()
    with pytest.raises(blan.FormatError, match=r"empty\.avi"):
        blan.Video(empty, tracker(model))


def test_a_camera_goes_by_the_clock(clip, model, monkeypatch):
    monkeypatch.setattr(cv2, "VideoCapture", lambda _number, make=cv2.VideoCapture: make(str(clip)))
    ticks = iter([100.0, 100.5, 102.0])
    monkeypatch.setattr("blan.video.source.time.monotonic", lambda: next(ticks))
    with blan.Video(0, tracker(model)) as video:
        assert video.live and video.frame_count is None and video.source == "0"
        assert [next(video).time for _ in range(3)] == [0, 0.5, 2.0]


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".avi"])
def test_writer(watched, tmp_path, suffix):
    path = tmp_path / f"out{suffix}"
    with blan.VideoWriter(path, clips.WIDTH, clips.HEIGHT, clips.FPS) as writer:
        for frame in watched[:8]:
            writer.write(frame.pixels)
        assert not path.exists()
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    frames = _frames_of(path)
    assert len(frames) == 8
    assert np.abs(frames[7].astype(int) - watched[7].pixels).mean() < 12


def test_a_video_is_on_the_disk_before_it_has_its_name(watched, tmp_path, renamed):
    with blan.VideoWriter(tmp_path / "out.mp4", clips.WIDTH, clips.HEIGHT, clips.FPS) as writer:
        writer.write(watched[0].pixels)
    assert renamed == {"out.mp4": True}


def _frames_of(path):
    capture, frames = cv2.VideoCapture(str(path)), []
    while (read := capture.read())[0]:
        frames.append(read[1])
    return frames


def test_writer_keeps_a_cameras_time(watched, tmp_path):
    path = tmp_path / "out.avi"
    with blan.VideoWriter(path, clips.WIDTH, clips.HEIGHT, 10) as writer:
        for index, time in ((0, 0.0), (1, 0.1), (2, 0.5), (3, 0.51), (4, 0.52), (5, 0.53), (6, 0.7)):
            writer.write(watched[index].pixels, time)
    frames = _frames_of(path)
    assert len(frames) in (8, 9)
    shown = [int(np.argmin([np.abs(f.astype(int) - w.pixels).mean() for w in watched[:7]])) for f in frames]
    assert shown[:6] == [0, 1, 1, 1, 1, 2] and shown[-1] == 6


def test_writer_says_what_is_wrong(tmp_path, watched):
    with pytest.raises(blan.InvalidArgumentError, match=r"out\.gif: a video's name ends in one of \.mp4"):
        blan.VideoWriter(tmp_path / "out.gif", 64, 64, 25)
    with pytest.raises(blan.FileError, match="nowhere"):
        blan.VideoWriter(tmp_path / "nowhere" / "out.mp4", 64, 64, 25)
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(blan.FileError, match="directory"):
        blan.VideoWriter(tmp_path / "folder.mp4", 64, 64, 25)
    path = tmp_path / "out.mp4"
    with blan.VideoWriter(path, 64, 64, 25) as writer, pytest.raises(blan.ShapeError, match=r"frame 0 of .*out\.mp4"):
        writer.write(watched[0].pixels)
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder.mp4"]


def test_a_full_disk_is_an_error_and_spares_what_was_there(tmp_path):
    program = textwrap.dedent("""
        import resource, signal, sys
        import blan, numpy
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, resource.RLIM_INFINITY))
        random = numpy.random.default_rng(0)
        try:
            with blan.VideoWriter(sys.argv[1], 320, 240, 25) as writer:
                for _ in range(20):
                    writer.write(random.integers(0, 256, (240, 320, 3), dtype=numpy.uint8))
        except blan.FileError as error:
            print(error)
    """)
    for suffix in (".mp4", ".mkv", ".avi"):
        path = tmp_path / f"out{suffix}"
        path.write_text("before")
        result = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True)
        assert "cannot write all 20 frames of" in result.stdout and path.name in result.stdout
        assert path.read_text() == "before"
    assert len(list(tmp_path.iterdir())) == 3


def test_drawing_changes_a_copy(watched):
    frame = watched[12]
    before = frame.pixels.copy()
    drawn, bare = frame.draw(top=5), frame.draw(top=0)
    np.testing.assert_array_equal(frame.pixels, before)
    assert drawn.shape == before.shape
    left, top, right, bottom = (round(side) for side in frame.faces[0].face.box)
    for y, x in (((top + bottom) // 2, left), ((top + bottom) // 2, right), (bottom, (left + right) // 2)):
        assert np.abs(drawn[y, x].astype(int) - before[y, x]).max() > 20
    beside = np.s_[top + 40 : top + 100, right + 10 : right + 60]
    assert np.abs(drawn[beside].astype(int) - before[beside]).mean() > 20
    np.testing.assert_array_equal(bare[beside], before[beside])


@pytest.mark.parametrize("size", [(40, 60), (90, 30), (33, 33)])
def test_drawing_fits_any_frame(watched, size):
    frame = np.zeros((*size, 3), np.uint8)
    from blan.video.drawing import draw

    assert draw(frame, watched[30].faces * 3, 40).any()


def test_a_missing_opencv_names_the_extra(model_path):
    program = textwrap.dedent(f"""
        import sys
        sys.modules["cv2"] = None
        import blan
        try:
            blan.FaceTracker(blan.load({str(model_path)!r}))
        except blan.UnsupportedError as error:
            print(error)
    """)
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert 'pip install "blan[opencv]"' in result.stdout
