"""When a batcher tries again after failed writes, and how."""

from batching_demo.core.health import REFUSALS_BEFORE_HOLDING, STATEMENT_TIMEOUT, Health


def test_pauses_double_up_to_a_minute() -> None:
    health = Health()
    pauses = []
    for _ in range(8):
        health.failed("away", None, now=100)
        pauses.append(health.retry_at - 100)
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]
    assert health.is_failing


def test_an_outage_of_days_is_only_an_outage() -> None:
    health = Health(failures=100_000)
    health.failed("away", None, now=100)
    assert health.retry_at == 160


def test_a_write_ends_it() -> None:
    health = Health()
    health.failed("away", "08006", now=100)
    assert health.last_error == "away (SQLSTATE 08006)"
    health.wrote(now=101, all_refused=False)
    assert health == Health()


def test_statements_halve_after_three_statement_timeouts() -> None:
    health = Health()
    sizes = []
    for _ in range(6):
        health.failed("slow", STATEMENT_TIMEOUT, now=0)
        sizes.append(health.rows_per_statement(100))
    assert sizes == [None, None, 50, 25, 12, 6]
    health.failed("away", None, now=0)
    assert health.rows_per_statement(100) is None


def test_statements_never_become_empty() -> None:
    health = Health(statement_timeouts=1_000)
    assert health.rows_per_statement(7) == 1


def test_refused_batches_in_a_row_are_a_schema_mistake() -> None:
    health = Health()
    for _ in range(REFUSALS_BEFORE_HOLDING - 1):
        health.wrote(now=50, all_refused=True)
    assert not health.is_failing
    health.wrote(now=50, all_refused=True)
    assert health.is_failing
    assert health.retry_at == 110
    assert "Mend the schema" in health.last_error
    health.wrote(now=200, all_refused=False)
    assert health == Health()
