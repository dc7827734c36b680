"""Real cameras made of clips, for demonstrations and tests: RTSP (and MJPEG over HTTP) with faults on demand.

In tests::

    with TestCamera(clip, login=Login("user", "secret")) as camera:
        client.open(camera.login_url)
        camera.faults.stall()
"""

from streamer.testcamera.annexb import Codec
from streamer.testcamera.auth import Login
from streamer.testcamera.camera import Camera
from streamer.testcamera.clip import AccessUnit, Clip, join_clips, load_clip
from streamer.testcamera.faults import Faults, TimedFault, parse_timed
from streamer.testcamera.mjpeg import MjpegCamera, MjpegServer
from streamer.testcamera.server import CameraServer, PortServer, TestCamera, tls_context

__all__ = [
    "AccessUnit",
    "Camera",
    "CameraServer",
    "Clip",
    "Codec",
    "Faults",
    "Login",
    "MjpegCamera",
    "MjpegServer",
    "PortServer",
    "TestCamera",
    "TimedFault",
    "join_clips",
    "load_clip",
    "parse_timed",
    "tls_context",
]
