"""A schedule is drawn once, and the same again from its seed."""

from tools.chaos.schedule import FaultKind, plan, plan_kills


def test_the_same_seed_is_the_same_schedule() -> None:
    assert plan(1, 180) == plan(1, 180)
    assert plan(1, 180) != plan(2, 180)


def test_three_minutes_have_faults_of_every_kind() -> None:
    for seed in range(20):
        faults = plan(seed, 180)
        assert len(faults) >= 15
        assert {fault.kind for fault in faults} == set(FaultKind)
        assert all(0 < fault.at < 180 for fault in faults)
        assert [fault.at for fault in faults] == sorted(fault.at for fault in faults)


def test_a_short_run_has_every_kind_that_fits() -> None:
    faults = plan(3, 45)
    assert len({fault.kind for fault in faults}) == min(len(faults), len(FaultKind))


def test_half_an_hour_has_250_faults() -> None:
    assert all(len(plan(seed, 1_800)) >= 250 for seed in range(20))


def test_kills_alone_come_at_even_intervals_to_the_end() -> None:
    faults = plan_kills(4, 60)
    assert [fault.at for fault in faults] == [15, 30, 45, 60]
    assert {fault.kind for fault in faults} == {FaultKind.KILL_BATCHER_WORKER}
