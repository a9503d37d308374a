"""A folder in, certificates that vouch for one another out: for servers on one machine."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

MADE_FOR = timedelta(days=30)
LOCALHOST = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """Whoever is believed: `certificate` is its PEM file."""

    folder: Path
    certificate: Path
    _key: ec.EllipticCurvePrivateKey
    _made: x509.Certificate

    def issue(self, name: str, *, host: str = LOCALHOST) -> tuple[Path, Path]:
        """The PEM files of a certificate for who has that name at that host, and of its key. Made
        again, they stand in the place of the ones before.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        made = (
            _begin(name, self._made.subject, key)
            .add_extension(x509.SubjectAlternativeName([_place(host)]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        certificate, secret = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        certificate.write_bytes(made.public_bytes(Encoding.PEM))
        # As Java wants it.
        pkcs8 = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        secret.write_bytes(pkcs8)
        secret.chmod(0o600)
        return certificate, secret


def authority(folder: Path, name: str = "authority") -> Authority:
    """One that is new."""
    key = ec.generate_private_key(ec.SECP256R1())
    made = (
        _begin(name, _name(name), key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate = folder / f"{name}.crt"
    certificate.write_bytes(made.public_bytes(Encoding.PEM))
    return Authority(folder=folder, certificate=certificate, _key=key, _made=made)


def _place(host: str) -> x509.GeneralName:
    """An address, or a name."""
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _begin(
    name: str, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + MADE_FOR)
    )
