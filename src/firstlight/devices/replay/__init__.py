"""Recorded tomographies, and the camera that serves them as if it took them."""

from firstlight.devices.replay._build import ReplayConfiguration, camera, open_recording
from firstlight.devices.replay._camera import ReplayCamera
from firstlight.devices.replay._recording import Recording, Stack

__all__ = ["Recording", "ReplayCamera", "ReplayConfiguration", "Stack", "camera", "open_recording"]
