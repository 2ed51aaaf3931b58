"""Which of onnxruntime's execution providers computes the networks: the configured one, or nothing.

onnxruntime by itself takes the CPU for whatever a provider cannot do, and for all of it where the provider does not
start. It warns at most. Here both are errors.
"""

from __future__ import annotations

import onnxruntime as ort

from kiosk.domain.errors import ModelError
from kiosk.sections import Provider

NAMES: dict[Provider, str] = {
    "cpu": "CPUExecutionProvider",
    "xnnpack": "XnnpackExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}
"""As onnxruntime calls them."""
NO_FALLBACK = "session.disable_cpu_ep_fallback"
"""onnxruntime_session_options_config_keys.h: loading fails when the CPU would have to compute a part."""


def session(
    content: bytes, options: ort.SessionOptions, name: str, provider: Provider, threads: int
) -> ort.InferenceSession:
    """A session of the network `name` on this provider alone. Raises ModelError when the installed onnxruntime has no
    such provider, or when it does not compute the whole network."""
    wanted = NAMES[provider]
    here = ort.get_available_providers()
    if wanted not in here:
        raise ModelError(
            f'[models] provider = "{provider}": the installed onnxruntime has only {", ".join(sorted(here))}: install '
            f'a build with {wanted}, or set provider = "cpu"'
        )
    own: dict[str, str] = {}
    if provider != "cpu":
        options.add_session_config_entry(NO_FALLBACK, "1")
        options.log_severity_level = 4  # the error below says the same in one line
    if provider == "xnnpack":
        # Its threads are a pool of its own; onnxruntime's would only compete with it.
        options.intra_op_num_threads = 1
        own["intra_op_num_threads"] = str(threads)
    try:
        # enable_fallback: otherwise onnxruntime's Python would try again with the CPU, and print that it does.
        made = ort.InferenceSession(content, options, providers=[(wanted, own)], enable_fallback=0)
    except Exception as error:
        why = str(error).splitlines()[0]
        if provider == "cpu":
            raise ModelError(f"{name}: onnxruntime cannot load the model: {why}") from error
        raise ModelError(
            f'{name}: [models] provider = "{provider}" does not compute the whole network: {why}: set provider = "cpu"'
        ) from error
    if made.get_providers()[:1] != [wanted]:
        raise ModelError(f'{name}: [models] provider = "{provider}" has not started: see that its libraries are there')
    return made
