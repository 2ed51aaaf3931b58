"""Fetches a file over HTTPS. Only this admin command does so: the running kiosk has no network access."""

from __future__ import annotations

import http.client
import ssl
import time
import urllib.error
import urllib.request
from email.message import Message
from pathlib import Path
from typing import IO

from kiosk import __version__
from kiosk.cli import console
from kiosk.domain.errors import ModelError
from kiosk.vision.model_files import LARGEST, too_large

SILENCE_SECONDS = 20.0
"""A download is given up after this time without a byte."""
SECONDS = 1800.0
"""A download is given up after this time in any case."""
REDIRECTS = 5
CHUNK = 1 << 16


class _OnlyHttps(urllib.request.HTTPRedirectHandler):
    """Follows at most REDIRECTS redirects, and only to https addresses."""

    max_redirections = REDIRECTS
    max_repeats = 1

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> urllib.request.Request | None:
        """Raises URLError for a redirect that leaves HTTPS."""
        if not _is_https(newurl):
            fp.close()
            raise urllib.error.URLError(f"it redirects to {newurl}: only https is followed")
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]


def fetch(url: str, target: Path) -> None:
    """Downloads `url` to `target`, with a progress bar on a terminal. The server's certificate must be valid.

    Raises ModelError unless it gets a complete file of an allowed size, OSError when `target` cannot be written.
    """
    if not _is_https(url):
        raise ModelError(f"{url}: only https: an address without it may be answered by anybody")
    with _open(url) as response:
        _write(response, target, url)


def _open(url: str) -> http.client.HTTPResponse:
    try:
        response: http.client.HTTPResponse = _opener().open(_request(url), timeout=SILENCE_SECONDS)
    except urllib.error.HTTPError as error:
        with error:
            raise ModelError(f"{url}: the server answers {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise ModelError(f"{url}: cannot be fetched: {reason}") from error
    return response


def _opener() -> urllib.request.OpenerDirector:
    """An opener for HTTPS only: no plain HTTP, no file:, no ftp:."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPSHandler(context=ssl.create_default_context()),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _OnlyHttps(),
    ):
        opener.add_handler(handler)
    return opener


def _request(url: str) -> urllib.request.Request:
    headers = {"User-Agent": f"face-kiosk/{__version__}", "Accept-Encoding": "identity"}
    return urllib.request.Request(url, headers=headers)  # noqa: S310 - https, as was checked


def _is_https(url: str) -> bool:
    return url.lower().startswith("https://")


def _write(response: http.client.HTTPResponse, target: Path, url: str) -> None:
    until = time.monotonic() + SECONDS
    total = response.length
    if total is not None and total > LARGEST:
        raise ModelError(f"{url}: {too_large(total)}")
    received = 0
    shown = console.bar("Download", total or LARGEST)
    with target.open("wb") as file, shown as bar:
        while chunk := _read(response, url):
            received += len(chunk)
            if received > LARGEST:
                raise ModelError(f"{url}: {too_large(received)}, or more")
            if time.monotonic() > until:
                raise ModelError(f"{url}: cannot be fetched: not done after {SECONDS / 60:.0f} minutes")
            file.write(chunk)
            bar.update(len(chunk))
    if total is not None and received != total:
        raise ModelError(f"{url}: the download ended early, after {received} of {total} bytes: try again")


def _read(response: http.client.HTTPResponse, url: str) -> bytes:
    """Reads the next part. This is separate from writing, so that a full disk is not reported as a bad connection."""
    try:
        return response.read(CHUNK)
    except (OSError, http.client.HTTPException) as error:
        raise ModelError(f"{url}: the connection broke off: {error}: try again") from error
