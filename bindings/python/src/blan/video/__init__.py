"""Faces in video: followed from frame to frame, their attributes smoothed over time (extra ``blan[opencv]``)."""

from .source import Video, VideoFrame
from .tracker import FaceTracker, TrackedFace
from .writer import VideoWriter

__all__ = ["FaceTracker", "TrackedFace", "Video", "VideoFrame", "VideoWriter"]
