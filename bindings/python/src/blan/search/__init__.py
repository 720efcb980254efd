"""Searching folders of photos by the attributes of their faces."""

from .build import Indexed, index
from .finder import Found, Index

__all__ = ["Found", "Index", "Indexed", "index"]
