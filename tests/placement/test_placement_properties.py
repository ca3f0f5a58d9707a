"""What holds for every fleet: nothing is given twice, nothing moves, and what can be kept is kept."""

from collections.abc import Callable
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from placement import Fleet, place
from tests.placement.fleets import record, resized
from tests.placement.sound import assert_sound, best_spread, spread
from tests.placement.strategies import fleets, hand_written


def examples(number: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The same examples in every run, on slow machines too."""
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]
    return settings(max_examples=number, derandomize=True, database=None, deadline=None, suppress_health_check=slow)


@examples(120)
@given(fleets())
def test_nothing_is_given_twice_and_nobody_has_more_than_there_is(made: Fleet) -> None:
    assert_sound(place(made))


@examples(60)
@given(st.data())
def test_recorded_seats_of_any_kind_break_nothing(data: st.DataObject) -> None:
    made = data.draw(fleets())
    recorded = replace(made, recorded=data.draw(hand_written(made)))
    placed = place(recorded)
    assert_sound(placed)
    refused = {refusal.machine for refusal in placed.refusals}
    for name, wish in recorded.recorded.items():
        seat = placed.by_machine.get(name)
        assert (seat is None) == (name in refused), "taken or refused, nothing between"
        if seat is not None:
            assert seat.host == wish.host
            assert wish.cpus is None or set(seat.cpus) == wish.cpus
            assert wish.drives.items() <= seat.drives.items()


@examples(50)
@given(fleets(), st.tuples(*[st.integers(0, 6)] * 2), st.sampled_from([1, 3]))
def test_with_recorded_seats_adding_and_removing_machines_moves_no_other(made: Fleet, pools: tuple[int, int], control_planes: int) -> None:
    before = place(made)
    after = place(resized(replace(made, recorded=record(made)), cp=control_planes, a=pools[0], b=pools[1]))
    assert not after.refusals
    staying = {name for each in after.fleet.sets for name in each.machines}
    for seat in before.seats:
        if seat.machine in staying:
            assert after.by_machine[seat.machine] == replace(seat, recorded=True)


@examples(100)
@given(fleets(most_hosts=3, most_machines=2, everything=False))
def test_what_fits_is_seated_with_control_planes_spread_as_far_as_can_be(made: Fleet) -> None:
    placed, best = place(made), best_spread(made)
    assert placed.complete == (best is not None)
    if best is not None:
        assert spread(placed) == best


@examples(30)
@given(fleets())
def test_the_same_fleet_gives_the_same_placement(made: Fleet) -> None:
    again = Fleet(hosts=made.hosts, sets=made.sets, recorded=dict(reversed(list(made.recorded.items()))))
    assert place(made) == place(again)


@examples(30)
@given(fleets())
def test_every_shortfall_says_what_is_missing_everywhere(made: Fleet) -> None:
    for shortfall in place(made).shortfalls:
        wanted = next(each for each in made.sets if each.name == shortfall.set_name)
        assert {lack.host for lack in shortfall.lacks} == set(wanted.hosts)
        assert shortfall.seated + len(shortfall.machines) == len(wanted.machines)
