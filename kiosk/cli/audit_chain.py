"""`kiosk audit verify`, `key`, `checkpoint` and `cut`: whether the log is what the kiosk wrote, and how it gets
shorter."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from kiosk.cli import moments
from kiosk.cli.console import Row, bar, emit, json_option, pass_home, say, told_or_not
from kiosk.cli.doctor_check import Finding, Patient, ok, problem
from kiosk.domain.checkpoint import Checkpoint, found_in
from kiosk.domain.errors import GalleryError, KioskError, os_trouble
from kiosk.storage import retention
from kiosk.storage.audit import Audit
from kiosk.storage.checkpoints import checkpoint_record, genuine, open_signer, public_key, tail
from kiosk.storage.database import Store, open_database
from kiosk.storage.gallery import open_gallery
from kiosk.storage.home import Home
from kiosk.storage.verification import Verdict
from kiosk.storage.verification import verify as walk
from kiosk.storage.verification import verify_end as walk_end

LARGEST_FILE = 64 * 1024 * 1024
"""Bytes of a file with checkpoints: years of them."""
LEAST_AGE = timedelta(days=1)
"""What is younger is not cut: the kiosk still asks the log for it (refusals within the hour, the door's events)."""
NO_KEY = "there is no signing key yet: `kiosk run` makes it with the first checkpoint, and so does `audit checkpoint`"

OWN_KEY = (
    "the public key was taken from the log itself: whoever can write the log and has no key could have put his own "
    "there. Name the one that `kiosk audit key` printed when all was well, with --key"
)
HELD_KEY = "the public key was taken from the checkpoints held elsewhere: as good as where they were held"


@click.command()
@click.option(
    "--checkpoint",
    "files",
    type=click.Path(dir_okay=False, path_type=Path),
    multiple=True,
    help="Checkpoints held elsewhere, as the journal, a webhook or MQTT carried them.",
)
@click.option("--key", "keys", multiple=True, help="The public key that may have signed (`kiosk audit key`).")
@json_option
@pass_home
def verify(home: Home, files: tuple[Path, ...], keys: tuple[str, ...], as_json: bool) -> None:
    """Walks the log and finds what was removed, changed, reordered or inserted, and an end that was cut off.

    Exit status 1 when something was found. A cut end is found as far back as the newest checkpoint held elsewhere.
    """
    named = [_key(text) for text in keys]
    held = [checkpoint for file in files for checkpoint in _held(file, named)]
    with closing(_look(home)) as store:
        most = int(store.rows("SELECT count(*) AS n FROM audit")[0]["n"])
        with bar("verifying", most) as shown:
            verdict = walk(store, held, named or {checkpoint.key for checkpoint in held}, shown.update)
    if as_json:
        emit(_row(verdict))
    else:
        say(*_lines(verdict, bool(named), bool(held)))
    click.get_current_context().exit(0 if verdict.good else 1)


@click.command()
@pass_home
def key(home: Home) -> None:
    """Prints the public key of the log's checkpoints. Write it down elsewhere: `audit verify --key` takes it."""
    with closing(_look(home)) as store:
        public = public_key(store)
    if public is None:
        raise KioskError(f"{home.folder}: {NO_KEY}")
    say(public)


@click.command()
@pass_home
def checkpoint(home: Home) -> None:
    """Makes a checkpoint now, records it, and prints it as JSON, to be kept elsewhere."""
    with closing(open_gallery(_there(home))) as gallery:
        signer = open_signer(gallery.store, gallery.vault)
        number, link = tail(gallery.store)
        if number == 0:
            raise GalleryError(f"{gallery.store.path}: the log is empty: there is nothing to sign")
        now = datetime.now(UTC)
        made = signer.sign(number, link, now)
        Audit(gallery.store).append([checkpoint_record(made, now)])
    with told_or_not():
        emit(made.row())


@click.command()
@click.option("--before", type=moments.MOMENT, required=True, help="Records older than this (local time).")
@click.option("--yes", is_flag=True, help="Cut; without it, only what would be cut is said.")
@pass_home
def cut(home: Home, before: datetime, yes: bool) -> None:
    """Removes old records, up to a checkpoint. The rest can be verified from there, and the cut is a record itself.

    Without --yes nothing is removed. Refused on a log that does not verify.
    """
    limit = moments.begin(before)
    now = datetime.now(UTC)
    if limit is None or limit > now - LEAST_AGE:
        raise click.UsageError("--before: name a day that is over: what is younger than a day is still needed")
    with closing(open_gallery(_there(home), read_only=not yes, with_key=yes)) as gallery:
        store = gallery.store
        verdict = walk(store)
        if not verdict.good:
            raise GalleryError(f"{verdict.faults[0].message}: nothing was cut; see `kiosk audit verify`")
        planned = retention.plan(store, limit)
        if planned is None:
            say("nothing to cut: there is no checkpoint whose records are all older than that")
            return
        what = f"{planned.records} records, up to record {planned.checkpoint.number}"
        if not yes:
            say(f"would be cut: {what}, the newest checkpoint before then. With --yes they are")
            return
        made = retention.cut(store, open_signer(store, gallery.vault), planned, limit, now)
    with told_or_not():
        say(f"cut: {what}. Keep this checkpoint elsewhere, it covers the cut:")
        emit(made.row())


def findings(patient: Patient) -> Iterator[Finding]:
    """For `kiosk doctor`. It walks the log from the newest checkpoint on."""
    home = patient.home
    if not home.database.exists():
        return
    with closing(open_database(home.database, read_only=True, check=False)) as store:
        verdict = walk_end(store)
    if not verdict.good:
        yield problem(f"the audit log was tampered with: {verdict.faults[0].message}")
    elif not verdict.records:
        yield ok("the audit log is empty")
    else:
        whole = f"records {verdict.first} to {verdict.last} are whole (`kiosk audit verify` walks all)"
        yield ok(f"{whole}; {_newest(verdict)}", "" if verdict.newest else "kiosk audit checkpoint")


def _look(home: Home) -> Store:
    return open_database(_there(home).database, read_only=True)


def _there(home: Home) -> Home:
    """The home, if it has a gallery: none is made for a look at its log."""
    if not home.database.exists() and not home.key.exists():
        raise GalleryError(f"{home.database}: there is no gallery yet: enrol somebody first")
    return home


def _key(text: str) -> str:
    found = text.strip().lower()
    if not re.fullmatch("[0-9a-f]{64}", found):
        raise click.UsageError("--key: a public key is 64 digits, 0 to 9 and a to f, as `kiosk audit key` prints it")
    return found


def _held(file: Path, keys: Sequence[str]) -> list[Checkpoint]:
    """The checkpoints in a file. Raises KioskError for a file without one, or with one that nobody can trust."""
    try:
        if file.stat().st_size > LARGEST_FILE:
            raise KioskError(f"{file}: larger than {LARGEST_FILE >> 20} MiB: name a file of checkpoints")
        found = list(found_in(file.read_text("utf-8", errors="replace")))
    except OSError as error:
        raise KioskError(os_trouble(error)) from error
    except ValueError as error:
        raise KioskError(f"{file}: a checkpoint in it is damaged: {error}") from error
    if not found:
        raise KioskError(f"{file}: there is no checkpoint in it: take what the journal, a webhook or MQTT carried")
    for each in found:
        if not genuine(each):
            raise KioskError(f"{file}: the checkpoint of record {each.number} is not signed with the key that it names")
        if keys and each.key not in keys:
            raise KioskError(f"{file}: the checkpoint of record {each.number} is signed with another key: {each.key}")
    return found


def _lines(verdict: Verdict, named: bool, held: bool) -> Iterator[str]:
    if verdict.records:
        yield f"{verdict.records} records, {verdict.first} to {verdict.last}"
    else:
        yield "the log is empty"
    if verdict.cut is not None:
        cut_off = verdict.cut
        yield f"records up to {cut_off.number} were cut on {_shown(cut_off)}, as the log says over the key's signature"
    for fault in verdict.faults:
        yield f"TAMPERED: {fault.message}"
    if verdict.fault_count > len(verdict.faults):
        yield f"TAMPERED: and {verdict.fault_count - len(verdict.faults)} more places"
    if verdict.good:
        yield "the chain is whole"
    yield f"{verdict.checkpoints} checkpoints in the log; {_newest(verdict)}"
    if verdict.compared or verdict.out_of_reach:
        lost = f"; {verdict.out_of_reach} are of records that were cut" if verdict.out_of_reach else ""
        yield f"{verdict.compared} checkpoints held elsewhere fit{lost}"
    if not held:
        yield "no checkpoint held elsewhere was named (--checkpoint): an end that was cut off is not found"
    if len(verdict.keys) > 1:
        yield f"the checkpoints are signed with {len(verdict.keys)} keys, one after another: {', '.join(verdict.keys)}"
    if not named:
        yield HELD_KEY if held else OWN_KEY


def _newest(verdict: Verdict) -> str:
    newest = verdict.newest
    if newest is None:
        return "no checkpoint covers any of them yet"
    # The checkpoint's own record is covered by nothing yet.
    after = verdict.last - newest.number - 1
    return f"the newest is of {_shown(newest)}, {_age(newest)} ago, and covers all but {after} of them"


def _shown(checkpoint: Checkpoint) -> str:
    return moments.shown(datetime.fromisoformat(checkpoint.at))


def _age(checkpoint: Checkpoint) -> str:
    seconds = max(0.0, (datetime.now(UTC) - datetime.fromisoformat(checkpoint.at)).total_seconds())
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{int(seconds // length)} {unit}"
    return f"{int(seconds)} seconds"


def _row(verdict: Verdict) -> Row:
    return {
        "good": verdict.good,
        "records": verdict.records,
        "first": verdict.first,
        "last": verdict.last,
        "faults": [{"record": fault.number, "message": fault.message} for fault in verdict.faults],
        "fault_count": verdict.fault_count,
        "checkpoints": verdict.checkpoints,
        "newest_checkpoint": verdict.newest.row() if verdict.newest else None,
        "keys": [{"key": each} for each in verdict.keys],
        "held_compared": verdict.compared,
        "held_out_of_reach": verdict.out_of_reach,
        "cut": verdict.cut.row() if verdict.cut else None,
    }
