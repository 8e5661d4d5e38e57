from batching_demo.main_service.packing import pack, unpack
from hypothesis import given
from hypothesis import strategies as st

from batching_demo.contracts.messages import Submission, SubmissionHeader


@given(st.lists(st.tuples(st.integers(0, 9), st.text(), st.binary(min_size=100))))
def test_what_is_packed_is_unpacked(parts: list[tuple[int, str, bytes]]) -> None:
    submissions = [
        Submission(shard, SubmissionHeader(f"{text}/{index}", text, 1, len(records), text))
        for index, (shard, text, records) in enumerate(parts)
    ]
    expected = list(zip(submissions, [records for *_, records in parts], strict=True))
    assert unpack(pack(submissions, b"".join(records for *_, records in parts))) == expected
