"""How often an address may be refused."""

import pytest

from tagtrail.access import throttle as throttling
from tagtrail.access.throttle import MOST, WINDOW, Throttle, TooManyFailures


class Ticks:
    """A clock in seconds that moves only when told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def ticks() -> Ticks:
    return Ticks()


def is_limited(throttle: Throttle, address: str) -> bool:
    try:
        throttle.check(address)
    except TooManyFailures:
        return True
    return False


def refuse(throttle: Throttle, address: str, times: int = MOST) -> None:
    for _ in range(times):
        throttle.record(address)


def test_the_window_slides(ticks: Ticks) -> None:
    throttle = Throttle(monotonic=ticks)
    refuse(throttle, "192.0.2.1", MOST - 1)
    assert not is_limited(throttle, "192.0.2.1")
    ticks.now = 30.0
    refuse(throttle, "192.0.2.1", 1)
    with pytest.raises(TooManyFailures, match="try again in 30 seconds") as caught:
        throttle.check("192.0.2.1")
    assert caught.value.retry_after == 30
    ticks.now = WINDOW
    assert not is_limited(throttle, "192.0.2.1"), "nine of the ten are older than the window"
    refuse(throttle, "192.0.2.1", MOST - 1)
    assert is_limited(throttle, "192.0.2.1")


def test_who_has_one_ipv6_address_has_its_network(ticks: Ticks) -> None:
    throttle = Throttle(monotonic=ticks)
    for last in range(MOST):
        throttle.record(f"2001:db8:0:1::{last:x}")
    assert is_limited(throttle, "2001:db8:0:1:ffff::1")
    assert not is_limited(throttle, "2001:db8:0:2::1")


def test_an_ipv4_address_is_the_same_on_a_socket_of_both_families(ticks: Ticks) -> None:
    throttle = Throttle(monotonic=ticks)
    refuse(throttle, "::ffff:192.0.2.1")
    assert is_limited(throttle, "192.0.2.1")


def test_its_memory_is_bounded(ticks: Ticks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttling, "REMEMBERED", 3)
    throttle = Throttle(monotonic=ticks)
    refuse(throttle, "192.0.2.1", 50)
    for last in range(2, 5):
        throttle.record(f"192.0.2.{last}")
    assert not is_limited(throttle, "192.0.2.1"), "the one refused the longest ago was forgotten"
    assert {len(found) for found in throttle._failures.values()} == {1}
    refuse(throttle, "192.0.2.9", 50)
    assert len(throttle._failures) == 3
    assert max(len(found) for found in throttle._failures.values()) == MOST
