"""RAUC in the guest: the program that updates are installed with, and what it signs them by."""

import json
import os
from pathlib import Path

import pytest

from tests.guest.inside.programs import run

pytestmark = pytest.mark.guest
MANIFEST = "[update]\ncompatible=guest\nversion=1\n[bundle]\nformat=verity\n[image.rootfs]\nfilename=rootfs.img\n"


def test_a_bundle_is_made_and_its_signature_checked(tmp_path: Path) -> None:
    key = ["-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=guest", "-days", "2"]
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", *key, cwd=tmp_path)
    content = tmp_path / "content"
    content.mkdir()
    (content / "rootfs.img").write_bytes(os.urandom(65536))  # a bundle of zeros would be too small to have hashes
    (content / "manifest.raucm").write_text(MANIFEST)
    run("rauc", "bundle", "--cert=cert.pem", "--key=key.pem", "content", "update.raucb", cwd=tmp_path)
    told = run("rauc", "info", "--keyring=cert.pem", "--output-format=json", "update.raucb", cwd=tmp_path)
    assert json.loads(told)["compatible"] == "guest"
