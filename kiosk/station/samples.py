"""A sample of an enrolment as it goes over the control socket, from the command to the running kiosk."""

from __future__ import annotations

import base64

import numpy as np

from kiosk.domain.errors import SampleError
from kiosk.domain.face import Vector
from kiosk.ipc.control_messages import LONGEST_TEXT, SampleRequest
from kiosk.station.enrolment import EnrolmentSample
from kiosk.storage.vault import TEMPLATE_BYTES

VECTOR_BYTES = 4 * TEMPLATE_BYTES
"""Bytes of a sample's feature vector: float32, the lowest byte first."""
LARGEST_NUMBER = 1e6
"""Of a sample's vector: an embedder's are at most some hundreds."""


def request_of(sample: EnrolmentSample) -> SampleRequest:
    """The request that hands a sample over."""
    picture = sample.name.encode("utf-8", "replace").decode()[-LONGEST_TEXT:]
    earlier = None if sample.earlier is None else _sent(sample.earlier)
    return SampleRequest(picture=picture, vector=_sent(sample.vector), quality=sample.quality, earlier=earlier)


def sample_of(request: SampleRequest) -> EnrolmentSample:
    """The sample of a request. Raises SampleError when a vector of it is none."""
    earlier = None if request.earlier is None else _received(request.earlier)
    return EnrolmentSample(request.picture, _received(request.vector), request.quality, earlier)


def _sent(vector: Vector) -> bytes:
    return base64.b64encode(vector.astype("<f4").tobytes())


def _received(sent: bytes) -> Vector:
    if len(sent) != VECTOR_BYTES:
        raise SampleError(f"a sample's vector is {VECTOR_BYTES} bytes, not {len(sent)}")
    vector = np.frombuffer(sent, "<f4").astype(np.float32)
    if not 0 < np.abs(vector).max() < LARGEST_NUMBER:  # neither what is no number
        raise SampleError("a sample's vector has no direction, or numbers that no network gives")
    return vector
