"""The strict reading of answers, over bytes: whatever arrives, only documented errors escape, and one answer fits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattseal.drivers.modbus.exchange import Effect, LinkError, ShortAnswerError
from wattseal.drivers.modbus.frames import answer_length, answer_words, effect_of_loss

READ = bytes.fromhex("0007 0000 0006 05 03 0064 0002")
READ_ANSWER = bytes.fromhex("0007 0000 0007 05 03 04 1234 abcd")
WRITE = bytes.fromhex("0007 0000 000b 05 10 0064 0002 04 0001 0002")
WRITE_ANSWER = bytes.fromhex("0007 0000 0006 05 10 0064 0002")


@pytest.mark.parametrize(("request_frame", "answer"), [(READ, READ_ANSWER), (WRITE, WRITE_ANSWER)])
def test_right_answer_is_whole_only_at_its_last_byte(request_frame, answer):
    assert [answer_length(request_frame, answer[:end]) for end in range(len(answer))] == [None] * len(answer)
    assert answer_length(request_frame, answer) == len(answer)
    assert answer_length(request_frame, answer + b"more") == len(answer)


def test_words_of_an_answer():
    assert answer_words(READ_ANSWER) == (0x1234, 0xABCD)


@given(st.integers(0, len(READ_ANSWER) - 5), st.integers(1, 255))
def test_every_changed_byte_before_the_data_is_noticed(position, flip):
    """Transaction, protocol, length, unit, function and byte count all stand in the request or follow from it."""
    wrong = bytearray(READ_ANSWER)
    wrong[position] ^= flip
    with pytest.raises(LinkError):
        answer_length(READ, bytes(wrong))


@given(st.integers(0, len(WRITE_ANSWER) - 1), st.integers(1, 255))
def test_every_changed_byte_of_a_write_answer_is_noticed(position, flip):
    wrong = bytearray(WRITE_ANSWER)
    wrong[position] ^= flip
    with pytest.raises(LinkError):
        answer_length(WRITE, bytes(wrong))


def test_length_that_differs_from_the_byte_count():
    """The header counts two bytes more than two registers need, the byte count is right."""
    with pytest.raises(ShortAnswerError):
        answer_length(READ, bytes.fromhex("0007 0000 0009 05 03 04 1234 abcd ffff"))


@given(st.sampled_from([READ, WRITE]), st.binary(max_size=40))
def test_only_documented_errors_escape(request_frame, received):
    effects = {Effect.NONE} if request_frame is READ else {Effect.NONE, Effect.UNKNOWN}
    assert outcome(request_frame, request_frame[:2] + received) in {None, *effects, *range(len(received) + 3)}


def outcome(request_frame, received):
    try:
        return answer_length(request_frame, received)
    except LinkError as error:
        return error.effect


def test_effect_of_loss():
    assert effect_of_loss(READ) is Effect.NONE
    assert effect_of_loss(WRITE) is Effect.UNKNOWN
