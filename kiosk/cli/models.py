"""`kiosk models`: the networks, and whether they are the ones of the manifest."""

from __future__ import annotations

from pathlib import Path

import click

from kiosk.cli.console import complain, emit, json_option
from kiosk.config import ModelsConfig
from kiosk.domain.errors import ModelError
from kiosk.vision.manifest import EmbedderEntry, Entry, Manifest, PadEntry, default_folder
from kiosk.vision.network import Network

folder_option = click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder with another manifest.toml.  [default: the networks that came with the program]",
)


@click.group()
def models() -> None:
    """The networks that the kiosk runs."""


@models.command("list")
@folder_option
@json_option
def list_models(folder: Path | None, as_json: bool) -> None:
    """Name, role, model_id, size, threshold and licence of each network."""
    manifest = Manifest(folder or default_folder())
    for entry in manifest.entries:
        threshold = entry.threshold if isinstance(entry, EmbedderEntry | PadEntry) else entry.score_threshold
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
                }
            )
        else:
            held = "missing" if size is None else f"{size / 1e6:.2f} MB"
            what = f"{entry.name:16} {entry.role:9} {entry.model_id:26}"
            click.echo(f"{what} {held:>8} {threshold:6.3f}  {entry.licence}")


@models.command()
@folder_option
@json_option
@click.pass_context
def verify(ctx: click.Context, folder: Path | None, as_json: bool) -> None:
    """Check each network's sha256 and load it. Exit status 2 when one is bad."""
    manifest = Manifest(folder or default_folder())
    bad = False
    for entry in manifest.entries:
        try:
            Network.load(manifest, entry, ModelsConfig().threads)
        except ModelError as error:
            bad = True
            complain(str(error))
            if as_json:
                emit({"name": entry.name, "ok": False, "error": str(error)})
            continue
        if as_json:
            emit({"name": entry.name, "ok": True, "sha256": entry.sha256})
        else:
            click.echo(f"{entry.name}: ok")
    if bad:
        ctx.exit(2)


def _size(manifest: Manifest, entry: Entry) -> int | None:
    """Bytes of the file, None where it is missing."""
    try:
        return (manifest.folder / entry.file).stat().st_size
    except OSError:
        return None
