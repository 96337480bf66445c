"""The cores of the simulators' server: frames cut from any stream, PDUs of any bytes, faults chosen for a request."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattseal.certs.errors import MisuseError, PeerError
from wattseal.drivers.simulators.faults import Fault, FaultBoard, FaultKind, Scope
from wattseal.drivers.simulators.modbus_frames import FrameReader, ModbusFault, parse_request


@given(st.lists(st.binary(min_size=1, max_size=253), max_size=6), st.integers(1, 40))
def test_frames_survive_any_cut(pdus: list[bytes], piece: int) -> None:
    """Whatever the pieces, the frames that come out are those that went in."""
    stream = b"".join(struct.pack(">HHHB", n, 0, len(pdu) + 1, 1) + pdu for n, pdu in enumerate(pdus))
    reader, found = FrameReader(), []
    for start in range(0, len(stream), piece):
        found += reader.feed(stream[start : start + piece])
    assert [(f.transaction, f.pdu) for f in found] == list(enumerate(pdus))
    assert b"".join(f.raw for f in found) == stream


@given(st.binary(min_size=1, max_size=253))
def test_any_pdu_is_a_request_or_a_refusal(pdu: bytes) -> None:
    """Only documented outcomes: nothing a peer sends raises."""
    parsed = parse_request(pdu)
    assert not isinstance(parsed, ModbusFault) or parsed.code in {1, 2, 3}


@given(st.binary(max_size=40))
def test_any_bytes_are_cut_or_refused(data: bytes) -> None:
    first_is_legal = len(data) < 7 or (data[2:4] == b"\0\0" and 2 <= int.from_bytes(data[4:6], "big") <= 254)
    try:
        FrameReader().feed(data)
    except PeerError:
        refused = True
    else:
        refused = False
    if not first_is_legal:
        assert refused
    elif len(data) < 15:  # too short for a second header behind the smallest first frame
        assert not refused


@pytest.mark.parametrize(
    "wrong",
    [
        {"count": 0},
        {"skip": -1},
        {"seconds": float("nan")},
        {"seconds": -1.0},
        {"code": 0},
        {"code": 256},
        {"unit": 256},
        {"registers": 125},
        {"address": (5, 4)},
        {"address": (0, 65536)},
    ],
)
def test_senseless_faults_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(MisuseError) as caught:
        Fault(FaultKind.SILENT, **wrong)
    assert caught.value.reason == "bad_fault"


def test_oldest_fault_in_aim_is_played_first() -> None:
    board = FaultBoard()
    board.add(Fault(FaultKind.SILENT, scope=Scope.WRITES, count=1))
    board.add(Fault(FaultKind.DROP, count=1))
    taken = [board.take(1, writes=writes, first=0, last=0) for writes in (True, True, True)]
    assert [fault.kind if fault else None for fault in taken] == [FaultKind.SILENT, FaultKind.DROP, None]
