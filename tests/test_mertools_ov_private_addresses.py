"""Servers in the house are told from the rest of the world."""

from __future__ import annotations

import socket

import pytest

from mertools.ov.private_addresses import is_private


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8080/v1",
        "http://localhost:8080/v1",
        "http://[::1]:8080/v1",
        "https://10.1.2.3/v1",
        "http://172.16.0.9/v1",
        "http://192.168.1.20:8000/v1",
        "http://[fd00::1]/v1",
        "http://user:word@127.0.0.1/v1",
        "http://[::ffff:10.0.0.1]/v1",
    ],
)
def test_private(url: str) -> None:
    assert is_private(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://8.8.8.8/v1",
        "https://172.32.0.1/v1",
        "http://[2606:4700::1111]/v1",
        "http://[::ffff:8.8.8.8]/v1",
        "http://127.0.0.1@8.8.8.8/v1",
        "http://134744072/v1",
        "http://no-such-host.invalid/v1",
        "http://" + "a" * 70 + "/v1",
        "http:///v1",
    ],
)
def test_public_or_unknown(url: str) -> None:
    assert not is_private(url)


@pytest.mark.parametrize(
    ("addresses", "private"), [(["10.0.0.1", "8.8.8.8"], False), (["10.0.0.1", "fe80::1%eth0"], True)]
)
def test_every_address_of_a_host_counts(monkeypatch: pytest.MonkeyPatch, addresses: list[str], private: bool) -> None:
    entries = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: entries)
    assert is_private("http://models.lab/v1") is private
