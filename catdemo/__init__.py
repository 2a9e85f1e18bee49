"""The cat server of the talk: `catdemo.go()` serves personalised cat videos, for tracers to watch."""

import catprobe  # noqa: F401  (makes this process traceable)

from .demo import find, go, new_cat_video

__all__ = ["find", "go", "new_cat_video"]
