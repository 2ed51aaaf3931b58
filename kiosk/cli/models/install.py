"""`kiosk models install`: installs another network from a file, from an address, or by the name of a known one."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import click

from kiosk.cli.console import config_option, emit, json_option, name_home, say, settings, told_or_not
from kiosk.cli.models.fetch import fetch
from kiosk.domain.errors import ModelError
from kiosk.evaluation import trial
from kiosk.storage.home import Home
from kiosk.vision import described, upstream
from kiosk.vision import install as places
from kiosk.vision.described import Description
from kiosk.vision.install import staging
from kiosk.vision.manifest import AnyEntry, EmbedderEntry, PadEntry
from kiosk.vision.model_files import refuse_bendable


@click.command()
@click.argument("source", metavar="FILE|URL|NAME")
@click.option("--name", help="What to call it in the configuration.  [default: its own]")
@click.option(
    "--about",
    type=click.Path(dir_okay=False, path_type=Path),
    help="TOML file that says what the network is.  [default: beside FILE, ending in .toml]",
)
@click.option("--threshold", type=float, help="Of an embedder: the score that was measured...")
@click.option("--fmr", type=float, help="...with this false match rate, for instance 0.0001.")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where to install it.  [default: [models] folder of the configuration, else for root /var/lib/kiosk-models, "
    "for others models in the home]",
)
@config_option
@json_option
@name_home
def install(
    home: Home,
    source: str,
    name: str | None,
    about: Path | None,
    threshold: float | None,
    fmr: float | None,
    folder: Path | None,
    config_file: Path | None,
    as_json: bool,
) -> None:
    """Installs a network that you hold the rights to, beside copies of the shipped networks.

    \b
    NAME  one of `kiosk models upstream`: fetched from its public address
    FILE  a network, known by its hash or described by a TOML file; with a slash or a suffix (./own), else it is a NAME
    URL   the same, over https; the TOML file must name its sha256

    The TOML file has the keys of a [[model]] in models/manifest.toml, without file and model_id: name, role (embedder,
    detector or pad), licence, data, teacher, input (colour, mean, std, size) and those of its role; for an embedder
    dimension and template_scale, and thresholds where they were measured.

    Root installs into a folder that nobody else may write to. The trial of the network runs in a process without any
    rights. The network is hashed and tried before anything changes. The configuration stays as it is: the last lines
    say what to set. An embedder without a measured threshold can be evaluated, but never used at a door; install it
    again with --threshold and --fmr when they are known.
    """
    own = places.SYSTEM_FOLDER if os.geteuid() == 0 else home.folder / "models"
    place = (folder or settings(config_file).models.folder or own).absolute()
    wanted = upstream.called(source)
    address = wanted.address if wanted else source if "://" in source else None
    if not wanted and "/" not in source and not Path(source).suffix:
        raise ModelError(f"{source}: not one of `kiosk models upstream`; a file of that name: ./{source}")
    if address and not wanted and not about:
        raise ModelError(f"{source}: not one of `kiosk models upstream`: say what it is with --about FILE.toml")
    said = described.read(about) if about else None
    refuse_bendable(place)
    if place.parent == home.folder.absolute():
        home.prepare()
    with staging(place) as room:
        if address:
            fetch(address, room.target)
        else:
            room.copy(Path(source))
        sha256 = room.sha256(source)
        what = said or _known(wanted, sha256) or described.read(Path(source).with_suffix(".toml"))
        if address and what.sha256() is None:
            raise ModelError(f"{what.source}: write down the sha256 if this is the file you mean: {sha256}")
        entry, before = room.install(_measured(what, threshold, fmr).entry(sha256, name), trial.check_apart)
    with told_or_not():
        if as_json:
            what_is = {"name": entry.name, "role": entry.role, "model_id": entry.model_id}
            emit({**what_is, "sha256": sha256, "folder": str(place)})
        else:
            _tell(entry, before, place)


def _known(wanted: upstream.Upstream | None, sha256: str) -> Description | None:
    found = wanted or upstream.by_hash(sha256)
    return found.described() if found else None


def _measured(what: Description, threshold: float | None, fmr: float | None) -> Description:
    """The description with the threshold of the command line, which replaces all others."""
    if threshold is None and fmr is None:
        return what
    if threshold is None or fmr is None:
        raise ModelError("--threshold and --fmr go together: a score says nothing without its false match rate")
    if what.keys.get("role") != "embedder":
        raise ModelError("--threshold and --fmr are for an embedder; those of another network are in its description")
    keys = {k: v for k, v in what.keys.items() if k != "thresholds"}
    return replace(what, keys={**keys, "threshold": threshold, "threshold_fmr": fmr})


def _tell(entry: AnyEntry, before: AnyEntry | None, folder: Path) -> None:
    say(f"installed {entry.name} ({entry.model_id}) in {folder}")
    say("", "In the configuration, before the kiosk is started again:", "", "[models]")
    say(f'folder = "{folder}"')
    say(f'{entry.role} = ["{entry.name}"]' if isinstance(entry, PadEntry) else f'{entry.role} = "{entry.name}"')
    if isinstance(entry, EmbedderEntry):
        _tell_of_embedder(entry, before, folder)


def _tell_of_embedder(entry: EmbedderEntry, before: AnyEntry | None, folder: Path) -> None:
    say("", "Everybody must be enrolled again: references of another network are never compared with its own.")
    found = upstream.by_hash(entry.sha256)
    if not entry.operating_points():
        again = folder / entry.file if found else "it again"
        say(
            "No threshold has been measured: the kiosk refuses to start with it. Measure one:",
            f"  KIOSK_MODELS__FOLDER={folder} KIOSK_MODELS__EMBEDDER={entry.name} kiosk evaluate lfw ... --all-pairs",
            f"then install {again} with --threshold SCORE --fmr RATE.",
        )
        if found:
            say(f"Published: {found.published}.")
    elif isinstance(before, EmbedderEntry) and (laxer := _laxer(before, entry)):
        say(laxer)


def _laxer(before: EmbedderEntry, after: EmbedderEntry) -> str:
    """A warning if the new threshold lets more people in than the one before; otherwise empty."""
    old = min((p.score for p in before.operating_points()), default=0.0)
    new = min(p.score for p in after.operating_points())
    return f"LAXER than before: threshold {new:g}, it was {old:g}." if new < old else ""
