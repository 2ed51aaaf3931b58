"""The bill of materials of the package, as CycloneDX 1.6: the bundled libraries and the networks."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
import uuid
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import Message
from pathlib import Path

Fields = dict[str, object]


def bill(site: Path, networks: Path, version: str, arch: str, epoch: int) -> str:
    """The JSON text, the same for the same input. `site`: the unpacked libraries; `networks`: models/manifest.toml."""
    libraries = [_library(message) for message in metadata(site)]
    models = [_network(entry) for entry in tomllib.loads(networks.read_text())["model"]]
    seed = hashlib.sha256(json.dumps([version, arch, libraries, models], sort_keys=True).encode()).digest()
    whole: Fields = {"type": "application", "bom-ref": "face-kiosk", "name": "face-kiosk", "version": version}
    whole |= {"purl": f"pkg:deb/face-kiosk@{version}?arch={arch}"}
    document: Fields = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.UUID(bytes=seed[:16], version=4)}",
        "version": 1,
        "metadata": {"timestamp": datetime.fromtimestamp(epoch, UTC).isoformat(), "component": whole},
        "components": libraries + models,
        "dependencies": [{"ref": "face-kiosk", "dependsOn": [part["bom-ref"] for part in libraries + models]}],
    }
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def licences(site: Path) -> str:
    """A paragraph of the copyright file for each bundled library: whose, and the licence that it states."""
    found = []
    for message in metadata(site):
        name, folder = str(message["Name"]), str(message["Name"]).replace("-", "_").lower()
        author = message["Author"] or message["Author-Email"] or message["Maintainer-Email"] or f"the authors of {name}"
        text = f"\nFiles: usr/lib/face-kiosk/lib/*/site-packages/{folder}*\nCopyright: {_line(str(author))}\n"
        found.append(f"{text}License: {folder}-{message['Version']}\n Stated: {_stated(message)}.\n")
    return "".join(found)


def metadata(site: Path) -> list[Message]:
    """What each bundled library says of itself, by name; the program's own is left out."""
    found = [message_from_bytes(p.read_bytes()) for p in site.glob("*.dist-info/METADATA")]
    others = (m for m in found if str(m["Name"]) != "face-kiosk")
    return sorted(others, key=lambda m: str(m["Name"]).lower())


def _library(message: Message) -> Fields:
    name, version = re.sub(r"[-_.]+", "-", str(message["Name"])).lower(), str(message["Version"])
    purl = f"pkg:pypi/{name}@{version}"
    expression = message["License-Expression"]
    licence: Fields = {"expression": str(expression)} if expression else {"license": {"name": _stated(message)}}
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl, "licenses": [licence]}


def _network(entry: Fields) -> Fields:
    found: Fields = {"type": "machine-learning-model", "name": str(entry["name"]), "version": str(entry["model_id"])}
    found |= {"bom-ref": f"network:{entry['model_id']}", "description": f"taught by {entry['teacher']}"}
    return found | {
        "hashes": [{"alg": "SHA-256", "content": str(entry["sha256"])}],
        "licenses": [{"license": {"name": str(entry["licence"])}}],
    }


def _stated(message: Message) -> str:
    """One line: the expression, the field, or the classifiers."""
    if message["License-Expression"]:
        return _line(str(message["License-Expression"]))
    classes = [str(c).rpartition(" :: ")[2] for c in message.get_all("Classifier", []) if str(c).startswith("License")]
    field = _line(str(message["License"] or ""))
    return ", ".join(classes) or (field if field and len(field) < 100 else "see its folder")


def _line(text: str) -> str:
    return " ".join(text.split())
