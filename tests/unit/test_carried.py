"""What a run leaves to the next, as this code and as earlier code wrote it."""

from batching_demo.batcher_service.messages import Carried, pack_carried, unpack_carried

from batching_demo.contracts.messages import Submission
from batching_demo.contracts.operations import Mode
from batching_demo.core.control import Control
from tests.support.records import record, submission


def test_what_an_operator_said_is_carried() -> None:
    header, encoded = submission("s", [record("a")])
    waiting = [Submission(header, encoded, 12.5)]
    control = Control(Mode.PAUSED, since=10.0, flush_before=9.0)
    packed = pack_carried(Carried([header], [12.5], control=control), waiting)
    carried, submissions = unpack_carried(packed)
    assert carried.control == control
    assert carried.control.mode is Mode.PAUSED
    assert submissions == waiting


def test_a_payload_of_before_there_were_controls_is_open() -> None:
    header, encoded = submission("s", [record("a")])
    old = (
        b'{"submissions":[{"submission_id":"s","requester":"nobody","records":1,"length":%d,'
        b'"source":"test","run_label":"first","malformed":"","version":1}],"received_at":[12.5],'
        b'"line":[{"submission_id":"t","size":7,"expected_at":3.0,"came_back":true}],'
        b'"bytes_per_second":500000.0,"totals":{"batches":{"age":2},"verdicts":{"written":3},'
        b'"turned_away":1},"health":{"failures":2,"statement_timeouts":0,"refusals":0,'
        b'"retry_at":4.0,"last_error":"down"},"version":1}\n' % header.length
    ) + encoded
    carried, submissions = unpack_carried(old)
    assert carried.control == Control()
    assert (carried.health.failures, carried.totals.batches) == (2, {"age": 2})
    assert submissions == [Submission(header, encoded, 12.5)]
