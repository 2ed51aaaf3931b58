"""`kiosk models`: lists the networks and checks them against the manifest."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from kiosk.cli.console import complain, config_option, emit, json_option, say, settings
from kiosk.cli.models.install import install
from kiosk.cli.models.switch import switch
from kiosk.domain.errors import ModelError
from kiosk.evaluation import trial
from kiosk.sections import ModelsConfig
from kiosk.vision.earlier import check_map
from kiosk.vision.manifest import DetectorEntry, Entry, Manifest
from kiosk.vision.model_files import default_folder
from kiosk.vision.upstream import known

folder_option = click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder with a manifest.toml.  [default: the configured one, else that which came with the program]",
)


@click.group()
def models() -> None:
    """The networks that the kiosk runs."""


models.add_command(install)
models.add_command(switch)


@models.command("list")
@folder_option
@config_option
@json_option
def list_models(folder: Path | None, config_file: Path | None, as_json: bool) -> None:
    """Lists name, role, model_id, size, threshold and licence of each network."""
    manifest = _manifest(folder, config_file)
    for entry in manifest.entries:
        threshold = entry.score_threshold if isinstance(entry, DetectorEntry) else entry.threshold
        size = _size(manifest, entry)
        if as_json:
            emit(
                {
                    "name": entry.name,
                    "role": entry.role,
                    "model_id": entry.model_id,
                    "file": entry.file,
                    "bytes": size,
                    "threshold": threshold,
                    "licence": entry.licence,
                    "terms": entry.terms,
                    "pictures": entry.pictures,
                }
            )
        else:
            held = "missing" if size is None else f"{size / 1e6:.2f} MB"
            what = f"{entry.name:16} {entry.role:9} {entry.model_id:26}"
            score = "  none" if threshold is None else f"{threshold:6.3f}"
            say(f"{what} {held:>8} {score}  {entry.licence}")


@models.command()
@folder_option
@config_option
@json_option
@click.pass_context
def verify(ctx: click.Context, folder: Path | None, config_file: Path | None, as_json: bool) -> None:
    """Check the sha256 of each network and of each map between two, and try it. Exit status 2 when one is bad."""
    manifest = _manifest(folder, config_file)
    networks = [(e.name, e, partial(trial.check, manifest, e, ModelsConfig().threads)) for e in manifest.entries]
    maps = [(p.file, p, partial(check_map, manifest, p)) for p in manifest.pairs]
    bad = False
    for name, part, check in (*networks, *maps):
        try:
            check()
        except ModelError as error:
            bad = True
            complain(str(error))
            if as_json:
                emit({"name": name, "ok": False, "error": str(error)})
            continue
        if as_json:
            emit({"name": name, "ok": True, "sha256": part.sha256})
        else:
            say(f"{name}: ok")
    if bad:
        ctx.exit(2)


@models.command("upstream")
@json_option
def list_upstream(as_json: bool) -> None:
    """Lists known networks of other authors: address, hash, licence, and the threshold that the authors publish."""
    for u in known():
        licence = str(u.entry["licence"])
        if as_json:
            row = {"name": u.name, "role": str(u.entry["role"]), "licence": licence, "published": u.published}
            emit({**row, "address": u.address, "sha256": u.sha256, "bytes": u.size})
        else:
            say(f"{u.name}: {u.entry['role']}, {u.size / 1e6:.2f} MB, {licence}")
            say(f"  {u.address}", f"  sha256 {u.sha256}", f"  published: {u.published}")


def _manifest(folder: Path | None, config_file: Path | None) -> Manifest:
    """Opens the manifest. Raises ConfigError, ModelError."""
    return Manifest(folder or settings(config_file).models.folder or default_folder())


def _size(manifest: Manifest, entry: Entry) -> int | None:
    """Size of the file in bytes; None if it is missing."""
    try:
        return (manifest.folder / entry.file).stat().st_size
    except OSError:
        return None
