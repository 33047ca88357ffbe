"""Cameras: receiver processes that acquire into rings and reduce, and the session's proxies for them."""

from __future__ import annotations

from firstlight.detectors._camera import Camera
from firstlight.detectors._channels import channels
from firstlight.detectors._pipeline import StepSpec
from firstlight.detectors._status import ReceiverState, Status

__all__ = ["Camera", "ReceiverState", "Status", "StepSpec", "channels"]
