"""Verbs that make, sign and explain a box: init, trust sign, trust show; certs create, certs inspect."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from wattseal.bridge.cli.options import Directory, Json
from wattseal.bridge.speaking import put, tell

trust = typer.Typer(help="The manifest: which keys may do what here, signed by the owner.", no_args_is_help=True)
certs = typer.Typer(help="Certificates: made for tests, and explained.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Adds these verbs."""
    app.command("init")(init)
    app.add_typer(trust, name="trust")
    app.add_typer(certs, name="certs")


def init(
    directory: Directory,
    lab: Annotated[bool, typer.Option("--lab", help="A bench: owner keys may stay, verdicts say so.")] = False,
    json_out: Json = False,
) -> None:
    """Make a box: keys for every role, the owner's keys apart, a site file with comments.

    Then edit site.toml, run `wattseal trust sign DIR`, and take owner/ away.
    """
    from wattseal.bridge.making import make_box
    from wattseal.bridge.site.template import template

    root = make_box(directory, now=int(time.time()), site_text=template(directory.resolve().name, lab=lab))
    if json_out:
        put({"root": root, "directory": str(directory)})
        return
    tell(f"Made a box in {directory}. Next: edit {directory}/site.toml, then `wattseal trust sign {directory}`.")
    tell(f"Keep this: it is all that a verifier must know beforehand (--root):\n{root}")


@trust.command("sign")
def sign(directory: Directory, json_out: Json = False) -> None:
    """Sign what site.toml and the policy now say, with the owner's key."""
    from wattseal.bridge.making import sign_manifest

    manifest = sign_manifest(directory, now=int(time.time()))
    if json_out:
        put({"version": manifest.version, "expires": manifest.expires_at, "site": manifest.site})
        return
    tell(f"Signed manifest version {manifest.version} for site {manifest.site}.")
    if not manifest.lab:
        tell(f"Take {directory}/owner away now; the box does not run while it lies there.")


@trust.command("show")
def show(directory: Directory, json_out: Json = False) -> None:
    """Say what the signed manifest allows."""
    from wattseal.bridge.trust_text import manifest_document, manifest_lines
    from wattseal.certs.box import Box
    from wattseal.certs.manifest import read_manifest

    box = Box(directory)
    manifest = read_manifest(box.trust(), box.pinned_root(), int(time.time()))
    if json_out:
        put(manifest_document(manifest, box.pinned_root()))
        return
    for line in manifest_lines(manifest, box.pinned_root()):
        typer.echo(line)


@certs.command("create")
def create(
    directory: Annotated[Path, typer.Argument(help="Where to; made if missing.", show_default=False)],
    json_out: Json = False,
) -> None:
    """Make a test hierarchy for IEEE 2030.5: SERCA, MCA, MICA, devices, aggregator, server, and faulty devices.

    For labs only: the authorities' keys lie beside what they sign. Keys have mode 0600.
    """
    from wattseal.bridge.certificate_text import hierarchy_document, hierarchy_lines
    from wattseal.certs.device_pki import make_device_pki

    now = datetime.now(UTC)
    pki = make_device_pki(directory, now=now)
    if json_out:
        put(hierarchy_document(pki, now))
        return
    for line in hierarchy_lines(pki, now):
        typer.echo(line)
    tell(f"Made in {directory}; the key of NAME.pem is NAME.key. For tests only: nobody else trusts this root.")


@certs.command("inspect")
def inspect(
    file: Annotated[
        Path, typer.Argument(help="A certificate, or a chain from it upward; PEM or DER.", show_default=False)
    ],
    authority: Annotated[
        Path | None, typer.Option("--authority", help="The root's file (PEM): the whole chain is judged.")
    ] = None,
    pin: Annotated[str, typer.Option("--pin", help="Five digits, to be told their check digit; or six to check.")] = "",
    json_out: Json = False,
) -> None:
    """Explain a certificate: whose it is, fingerprint, LFDI and SFDI, chain, end, and what a 2030.5 peer objects to."""
    from wattseal.bridge.certificate_text import explain, explanation_document, explanation_lines
    from wattseal.certs.identity import completed_pin

    whole_pin = completed_pin(pin) if pin else None
    explained = explain(file, datetime.now(UTC), authority)
    if json_out:
        put({**explanation_document(explained), **({"pin": whole_pin} if whole_pin else {})})
        return
    for line in explanation_lines(explained):
        typer.echo(line)
    if whole_pin:
        typer.echo(f"PIN {whole_pin} (check digit {whole_pin[-1]})")
