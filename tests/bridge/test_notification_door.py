"""The door for notifications: POST only, bounded, and the sender by its certificate."""

import asyncio
from http import HTTPStatus

import aiohttp
import pytest

from wattseal.bridge.core.notification_door import notification_door
from wattseal.bridge.site.model import Listener
from wattseal.certs.device_pki import make_device_pki
from wattseal.certs.errors import MisuseError
from wattseal.certs.identity import lfdi_of, read_certificates
from wattseal.certs.tls import CCM8_OR_GCM_CIPHERS, ccm8_client, ccm8_server

Calls = list[tuple[str, bytes, bytes | None]]


def taker(calls: Calls, status: int = 201):
    async def notified(path: str, body: bytes, lfdi: bytes | None) -> int:
        calls.append((path, body, lfdi))
        return status

    return notified


async def test_a_post_is_handed_on_and_answered_with_the_sessions_status():
    """1.10: 201 for what was taken, 400 for what was not (ERR-002)."""
    calls: Calls = []
    for status in (201, 400, 403):
        async with (
            notification_door(Listener("127.0.0.1", 0, ""), None, taker(calls, status)) as door,
            aiohttp.ClientSession() as session,
            session.post(f"{door.url}/2030/token", data=b"<Notification/>") as answer,
        ):
            assert answer.status == status
    assert calls == [("/2030/token", b"<Notification/>", None)] * 3


async def test_nothing_else_is_done_at_this_door():
    """405 carries Allow (1.1); a body beyond the cap never reaches the session."""
    calls: Calls = []
    async with (
        notification_door(Listener("127.0.0.1", 0, ""), None, taker(calls)) as door,
        aiohttp.ClientSession() as session,
    ):
        async with session.get(f"{door.url}/2030/token") as answer:
            assert (answer.status, answer.headers["Allow"]) == (HTTPStatus.METHOD_NOT_ALLOWED, "POST")
        async with session.post(f"{door.url}/x", data=bytes(1_048_577)) as answer:
            assert answer.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    assert calls == []


async def test_beyond_loopback_it_opens_with_tls_only():
    with pytest.raises(MisuseError) as caught:
        async with notification_door(Listener("0.0.0.0", 0, ""), None, taker([])):
            pass
    assert caught.value.reason == "listener_unprotected"


async def test_the_sender_is_who_its_certificate_says(tmp_path):
    """LFDI: the first 20 bytes of SHA-256 over the DER certificate; a stranger without one does not get in."""
    pki = make_device_pki(tmp_path)
    calls: Calls = []
    server = ccm8_server(pki.server, pki.authority, CCM8_OR_GCM_CIPHERS)
    async with notification_door(Listener("127.0.0.1", 0, ""), server, taker(calls)) as door:
        context = ccm8_client(pki.server, pki.authority, CCM8_OR_GCM_CIPHERS)
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{door.url}/x", data=b"1", ssl=context) as answer,
        ):
            assert answer.status == HTTPStatus.CREATED
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ClientError):
                await asyncio.wait_for(session.post(f"{door.url}/x", data=b"2", ssl=False), 10)
    from cryptography.hazmat.primitives.serialization import Encoding

    der = read_certificates(pki.server.certificate.read_bytes())[0].public_bytes(Encoding.DER)
    assert calls == [("/x", b"1", bytes.fromhex(lfdi_of(der)))]
