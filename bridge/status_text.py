"""The status document as lines for people."""

from collections.abc import Iterator, Mapping
from typing import Any


def lines(status: Mapping[str, Any]) -> Iterator[str]:
    """One line a fact, most important first."""
    lab = " (lab)" if status["lab"] else ""
    yield f"{status['site']}{lab} at {status['time']}, clock {status['clock']}"
    if status["clock"] == "virtual":
        yield "a lab moves this clock by hand: no time here is a real one"
    gateway = status["gateway"]
    yield "gateway connected" if gateway["connected"] else "gateway NOT connected: nothing can be ordered"
    if status["storage_low"]:
        yield "disk short: no order raises power until there is room again"
    for wish in status["in_force"]:
        until = wish["until"] or "further notice"
        yield f"in force: {wish['wish']} by {wish['event']} of {wish['utility']}, {wish['since']} until {until}"
    if not status["in_force"]:
        yield "no event is in force: devices follow their own defaults"
    for event in status["events"]:
        if not event["over"]:
            yield f"event {event['event']} v{event['version']} {event['status']}: {event['start']} to {event['end']}"
    for flow, held in status["held"].items():
        doubt = (
            "" if held["meter_believed"] else "; the meter is not believed: check its sign and whether it stands still"
        )
        yield f"{flow} limit at the connection: devices together may {flow} {held['room_watts']} W{doubt}"
    for name, utility in status["utilities"].items():
        yield from _said_by(name, utility)
    for name, device in status["devices"].items():
        charge = "" if device["soc_permille"] is None else f", {device['soc_permille'] / 10:.1f} % charged"
        order = "no order yet" if device["operation"] is None else _order(device)
        power = "" if device["measured_watts"] is None else f", measures {device['measured_watts']} W"
        yield f"{name}: {order}{power}{charge}, last seen {device['last_seen'] or 'never'}"
        for function, held in device["functions"].items():
            yield f"  {function}: {held['operation']} {held['value']} ({held['standing']})"
        if status["in_force"]:
            yield from (f"  why: {sentence}" for sentence in device["why"].values())


def _order(device: Mapping[str, Any]) -> str:
    return f"{device['operation']} {device['watts']} W ({device['standing']})"


def _said_by(name: str, utility: Mapping[str, Any]) -> Iterator[str]:
    """Prices and texts, as a utility has them in force."""
    for price in utility.get("prices", ()):
        what = f"{price['price'] or 'no price'} of currency {price['currency']} for a {price['per'] or 'unit'}"
        yield f"price of {name}: {what} {price['flow']}".rstrip() + f", until {price['until'] or 'further notice'}"
    for text in utility.get("texts", ()):
        yield f"{text['priority']} message {text['event']} of {text.get('from') or name}: {text.get('text', '')}"
