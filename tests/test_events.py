"""The bus never waits for its readers, and tells them what they lost."""

from appliance.events import Bus, Event


def event(number):
    return Event("machine.new", float(number), "x")


async def test_everybody_who_listens_hears_it_in_order():
    bus = Bus()
    with bus.subscribe() as one, bus.subscribe() as two:
        for number in range(3):
            bus.publish(event(number))
        for heard in (one, two):
            assert [(await heard.get()).at for _ in range(3)] == [0, 1, 2]


async def test_a_slow_reader_loses_the_oldest_and_is_told_so():
    bus = Bus()
    with bus.subscribe(2) as slow:
        for number in range(5):
            bus.publish(event(number))
        assert slow.lost == 3
        assert [(await slow.get()).at for _ in range(2)] == [3, 4]


async def test_who_left_hears_nothing():
    bus = Bus()
    with bus.subscribe():
        pass
    bus.publish(event(1))
    assert bus._subscriptions == set()
