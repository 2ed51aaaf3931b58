"""A sample on its way over the control socket."""

from __future__ import annotations

import base64

import numpy as np
import pytest

from kiosk.domain.errors import SampleError
from kiosk.ipc.control_messages import SampleRequest
from kiosk.station.enrolment import EnrolmentSample
from kiosk.station.samples import request_of, sample_of

VECTOR = np.arange(1, 129, dtype=np.float32)


@pytest.mark.parametrize("earlier", [None, -VECTOR])
def test_both_vectors_arrive_as_they_were(earlier: np.ndarray | None) -> None:
    got = sample_of(request_of(EnrolmentSample("ada.png", VECTOR, 0.5, earlier)))
    assert (got.name, got.quality) == ("ada.png", 0.5)
    np.testing.assert_array_equal(got.vector, VECTOR)
    assert (got.earlier is None) == (earlier is None)
    if earlier is not None and got.earlier is not None:
        np.testing.assert_array_equal(got.earlier, earlier)


def test_an_earlier_vector_that_is_none_is_refused() -> None:
    good = request_of(EnrolmentSample("ada.png", VECTOR, 0.5))
    for bad in (b"", bytes(512), bytes(500)):
        sent = base64.b64encode(bad)
        request = SampleRequest(picture="p", vector=base64.b64encode(good.vector), quality=0.5, earlier=sent)
        with pytest.raises(SampleError):
            sample_of(request)
