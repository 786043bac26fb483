"""What RAUC says of bundles, and what its errors mean: said by RAUC itself where it can be."""

import random
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from appliance.errors import Invalid
from appliance.updates.bundle import COMPATIBLE, install_failure, older, parse_info, progress, refusal


def make_key(directory: Path, name: str, days: int = 30) -> None:
    """A throw-away key with a certificate that signed itself, good until so many days from now."""
    key, subject = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=90))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (directory / f"{name}.key").write_bytes(pem)
    (directory / f"{name}.pem").write_bytes(certificate.public_bytes(Encoding.PEM))


def make_bundle(directory: Path, name: str, signed_by: str, compatible: str = COMPATIBLE) -> Path:
    """A bundle of a slot's content that is next to nothing."""
    content, bundle = directory / f"content-{name}", directory / f"{name}.raucb"
    content.mkdir()
    (content / "root.ext4").write_bytes(random.Random(1).randbytes(20_000))  # what compresses well is too small
    (content / "manifest.raucm").write_text(
        f"[update]\ncompatible={compatible}\nversion=0.5.0\nbuild=20261122\ndescription=Next\n\n"
        "[bundle]\nformat=verity\n\n[image.rootfs]\nfilename=root.ext4\n"
    )
    key, pem = directory / f"{signed_by}.key", directory / f"{signed_by}.pem"
    subprocess.run(
        ["rauc", "bundle", f"--cert={pem}", f"--key={key}", content, bundle], check=True, capture_output=True
    )
    return bundle


def info(directory: Path, bundle: Path) -> subprocess.CompletedProcess[str]:
    """As the privileged helper asks."""
    system = directory / "system.conf"
    system.write_text(
        f"[system]\ncompatible={COMPATIBLE}\nbootloader=noop\nstatusfile={directory}/status\n"
        f"[keyring]\npath={directory}/ours.pem\n"
    )
    argv = ["rauc", f"--conf={system}", "info", "--output-format=json", str(bundle)]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("bundles")
    for name in ("ours", "theirs"):
        make_key(directory, name)
    make_bundle(directory, "good", "ours")
    return directory


def test_a_good_bundle_says_what_it_is(desk: Path) -> None:
    bundle = parse_info(info(desk, desk / "good.raucb").stdout)
    assert (bundle.version, bundle.build, bundle.description) == ("0.5.0", "20261122", "Next")


def refused(desk: Path, name: str, content: bytes) -> str:
    path = desk / name
    path.write_bytes(content)
    done = info(desk, path)
    assert done.returncode
    return refusal(done.stderr).code


def test_one_that_was_changed_or_is_none_is_refused_in_words(desk: Path) -> None:
    whole = (desk / "good.raucb").read_bytes()
    assert refused(desk, "flipped", whole[:-20] + bytes([whole[-20] ^ 1]) + whole[-19:]) == "bundle-changed"
    assert refused(desk, "short", whole[:5000]) == "bundle-unreadable"
    assert refused(desk, "other", b"no bundle at all" * 500) == "bundle-unreadable"
    assert refused(desk, "empty", b"") == "bundle-unreadable"


def test_one_of_somebody_elses_key_is_refused_in_words(desk: Path) -> None:
    error = refusal(info(desk, make_bundle(desk, "strange", "theirs")).stderr)
    assert (error.code, error.field) == ("bundle-untrusted", "file")
    assert "does not trust" in error.message


def test_one_whose_certificate_has_ended_blames_the_clock(tmp_path: Path) -> None:
    make_key(tmp_path, "ours", days=-1)
    bundle = make_bundle(tmp_path, "late", "ours")
    assert refusal(info(tmp_path, bundle).stderr).code == "bundle-expired"


def test_one_of_another_product_is_refused(desk: Path) -> None:
    with pytest.raises(Invalid, match="toaster"):
        parse_info(info(desk, make_bundle(desk, "toaster", "ours", "toaster")).stdout)


@pytest.mark.parametrize("text", ["", "{", "[]"])
def test_nonsense_is_no_bundle(text: str) -> None:
    with pytest.raises(Invalid):
        parse_info(text)


def test_progress_lines() -> None:
    assert progress(" 40% Copying image to rootfs.1") == (0.4, "Copying image to rootfs.1")
    assert progress("100% Installing done.") == (1.0, "Installing done")
    assert progress("LastError: no") is None


def test_the_last_error_is_told() -> None:
    words = "  0% Installing\nLastError: Installation error: no space left on device\nInstalling `x` failed"
    assert "no space left" in install_failure(words).message
    assert "said nothing" in install_failure("").message


@pytest.mark.parametrize(
    ("version", "present", "expected"),
    [("0.4.0", "0.5.0", True), ("0.5.0", "0.5.0", False), ("0.10", "0.9", False), ("0.4.0-rc1", "0.4.1", True),
     ("next", "0.5.0", False), ("", "", False)],
)  # fmt: skip
def test_which_version_is_older(version: str, present: str, expected: bool) -> None:
    assert older(version, present) is expected
