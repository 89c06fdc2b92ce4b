"""The proxies before the service: their own programs take the files, and their limits fit those of the service."""

from __future__ import annotations

import os
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from diglot import statestore
from diglot.statestore.repositories.key_format import make_key
from diglot.statestore.server.settings import ServerSettings
from tests.cli.running import COMMAND
from tests.deploy.files import DEPLOY
from tests.statestore.server.client import key_of

NGINX = DEPLOY / "proxy" / "nginx.conf"
CADDY = DEPLOY / "proxy" / "Caddyfile"
NAME = "diglot.example.org"
PROGRAM = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
needs_nginx = pytest.mark.skipif(PROGRAM is None, reason="nginx is in Debian's package nginx-light")
needs_caddy = pytest.mark.skipif(shutil.which("caddy") is None, reason="caddy is in Debian's package caddy")
needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate of the test")
LIMIT = 30.0


def seconds(name: str) -> float:
    found = re.search(rf"^\s*{name} (\d+)s;", NGINX.read_text(), re.MULTILINE)
    assert found, name
    return float(found[1])


def test_nginx_lets_in_what_the_service_takes_and_no_more() -> None:
    found = re.search(r"client_max_body_size (\d+);", NGINX.read_text())
    assert found
    assert int(found[1]) == ServerSettings().max_body


def test_nginx_waits_longer_than_the_service_which_answers_itself() -> None:
    settings = ServerSettings()
    assert seconds("proxy_read_timeout") > settings.request_timeout
    assert seconds("proxy_send_timeout") > settings.request_timeout
    assert seconds("client_body_timeout") <= settings.request_timeout


def test_caddy_has_the_same_limits() -> None:
    text = CADDY.read_text()
    assert ServerSettings().max_body == 10_000_000
    assert "max_size 10MB" in text, "Caddy's MB has 1,000,000 bytes"
    (waits,) = re.findall(r"response_header_timeout (\d+)s", text)
    assert float(waits) > ServerSettings().request_timeout


def test_no_client_chooses_its_own_address() -> None:
    assert "proxy_set_header X-Forwarded-For $remote_addr;" in NGINX.read_text()
    assert "trusted_proxies" not in CADDY.read_text(), "Caddy replaces what a client that it does not trust says"


@needs_caddy
def test_caddy_takes_its_file(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    for arguments in (["validate", "--adapter", "caddyfile", "--config", CADDY], ["fmt", CADDY]):
        done = subprocess.run(["caddy", *arguments], capture_output=True, text=True, check=False, env=home)
        assert done.returncode == 0, done.stderr
    assert done.stdout == CADDY.read_text()


# --- nginx before the real program -------------------------------------------------------------------------


def wait_for(address: str, what: subprocess.Popen[bytes], verify: ssl.SSLContext | bool = True) -> None:
    deadline = time.monotonic() + LIMIT
    while True:
        assert what.poll() is None, "it ended"
        assert time.monotonic() < deadline, f"nobody answers at {address}"
        try:
            if httpx.get(address, verify=verify, timeout=5).status_code < 500:
                return
        except httpx.HTTPError:
            time.sleep(0.02)  # a condition with a deadline


@contextmanager
def running(*command: str | Path, cwd: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([*command], cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=LIMIT)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@pytest.fixture
def proxied(tmp_path: Path) -> Iterator[tuple[httpx.Client, str]]:
    """A client of nginx, with deploy/'s file but for ports and paths, before 'diglot start'; and an admin's key."""
    assert PROGRAM is not None
    service, plain, secure = free_port(), free_port(), free_port()
    certificate, private = tmp_path / "fullchain.pem", tmp_path / "privkey.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", f"/CN={NAME}"),
            *("-addext", f"subjectAltName=DNS:{NAME}", "-keyout", private, "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )
    text = NGINX.read_text()
    for old, new in [
        ("listen [::]:80;", ""),
        ("listen [::]:443 ssl http2;", ""),
        ("listen 80;", f"listen 127.0.0.1:{plain};"),
        ("listen 443 ssl", f"listen 127.0.0.1:{secure} ssl"),
        ("127.0.0.1:8080;", f"127.0.0.1:{service};"),
        (f"/etc/letsencrypt/live/{NAME}/fullchain.pem", str(certificate)),
        (f"/etc/letsencrypt/live/{NAME}/privkey.pem", str(private)),
    ]:
        assert old in text, old
        text = text.replace(old, new)
    places = "".join(
        f"{kind}_temp_path {tmp_path}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.geteuid() == 0 else ""  # else its workers could not enter the folder of the test
    (tmp_path / "nginx.conf").write_text(
        f"{user} daemon off; worker_processes 1; pid {tmp_path}/pid; error_log stderr; events {{}}\n"
        f"http {{ access_log off; {places}\n{text}\n}}\n"
    )
    nginx = [PROGRAM, "-p", tmp_path, "-c", tmp_path / "nginx.conf"]
    checked = subprocess.run([*nginx, "-t", "-q"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    with statestore.open(f"sqlite:///{tmp_path}/data/app.db") as db:
        key = key_of(db, "ada@example.org", "admin")
    start = [*COMMAND, "start", "--port", str(service), "--trusted-proxy", "127.0.0.1"]
    trust = ssl.create_default_context(cafile=str(certificate))
    with running(*start, cwd=tmp_path) as served, running(*nginx, cwd=tmp_path) as proxy:
        wait_for(f"http://127.0.0.1:{service}/readyz", served)
        transport = httpx.HTTPTransport(verify=trust)
        with httpx.Client(
            transport=transport, base_url=f"https://127.0.0.1:{secure}", headers={"Host": NAME}, timeout=LIMIT
        ) as client:
            trust.check_hostname = False
            wait_for(f"https://127.0.0.1:{secure}/healthz", proxy, trust)
            yield client, key


@needs_nginx
@needs_openssl
def test_the_service_behind_nginx(proxied: tuple[httpx.Client, str]) -> None:
    client, key = proxied
    signed_in = {"Authorization": f"Bearer {key}"}
    assert client.get("/readyz").json()["ready"] is True
    assert client.get("/api/v0/auth/me", headers=signed_in).json()["email"] == "ada@example.org"
    assert "strict-transport-security" in client.get("/healthz").headers
    assert client.get("/metrics", headers=signed_in).status_code == 404

    large = {"workflow_id": "w", "status": "RUNNING", "input": {"text": "x" * 8_000_000}}
    put = client.put("/api/v0/workflows/w1", json=large, headers=signed_in)
    assert put.status_code == 201, put.text
    read = client.get("/api/v0/workflows/w1", headers=signed_in)
    assert read.json()["input"] == large["input"]
    assert read.headers["etag"] == '"1"'

    as_json = {**signed_in, "Content-Type": "application/json"}
    refused = client.put("/api/v0/workflows/w2", content=b" " * 10_000_001, headers=as_json)
    assert refused.status_code == 413
    assert "nginx" in refused.text, "it did not get to the service"


@needs_nginx
@needs_openssl
def test_a_client_that_names_another_address_does_not_get_around_the_limit_of_failures(
    proxied: tuple[httpx.Client, str],
) -> None:
    client, _ = proxied
    wrong = make_key(bytes(32))
    answers = [
        client.get(
            "/api/v0/auth/me", headers={"Authorization": f"Bearer {wrong}", "X-Forwarded-For": f"192.0.2.{number}"}
        ).status_code
        for number in range(25)
    ]
    assert 401 in answers
    assert answers[-1] == 429, answers
