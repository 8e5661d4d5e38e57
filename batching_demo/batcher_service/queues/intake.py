"""Read messages of others as records: each is one JSON object."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256

from batching_demo.batcher_service.queues.source import Message
from batching_demo.batcher_service.verdicts import Gathered
from batching_demo.contracts.encoding import PreparedRecord, RecordColumns
from batching_demo.contracts.messages import Submission, SubmissionHeader
from batching_demo.contracts.targets import RECORDS_TARGET
from batching_demo.records.columns_key import key_of, label_of
from batching_demo.records.json_text import WHITE_SPACE, canonical, parse_object
from batching_demo.records.key import check_key
from batching_demo.records.preparing import Content, prepare_record
from batching_demo.records.rejection import RejectionError


@dataclass(frozen=True)
class Intake:
    """What the messages of a queue are.

    Attributes:
        key_columns: Members of each object whose texts are its key; without any, the key is the
            identity of the message. For a table of the user's own it is only a label.
        target: The name of the target that the records go to.
    """

    key_columns: Sequence[str] = ()
    target: str = RECORDS_TARGET

    def submissions_of(self, message: Message, received_at: float) -> list[Submission]:
        """Return the submission of a message: one record, which is its body as it came.

        The record is prepared when it is written. So a body that ends its consumer does that in a
        write of its own in the end.
        """
        header = SubmissionHeader(
            submission_id=message.identity,
            requester="",
            records=1,
            length=len(message.body),
            source=message.queue,
            malformed=message.problem,
            target=self.target,
        )
        return [Submission(header, message.body, received_at)]

    def gather(self, submissions: Iterable[Submission]) -> Gathered:
        """Prepare the records of a batch, and join them into the rows of one write."""
        gathered = Gathered()
        for submission in submissions:
            record = self._prepare(submission.header, submission.records)
            gathered.rows.append(submission.header, _columns(record))
            gathered.owners.append((submission.header, 1))
        return gathered

    def _prepare(self, header: SubmissionHeader, body: bytes) -> PreparedRecord:
        """Return the record of a message, ready to be stored, or rejected with its reason."""
        identity = header.submission_id
        text = body.decode(errors="backslashreplace").strip(WHITE_SPACE)
        # If only the object knows its key, a dead letter has none until it is known.
        rejected_key = "" if self.key_columns else identity
        if header.malformed:
            return PreparedRecord(rejected_key, 0, text, b"", header.malformed)
        read = partial(self._content, identity, body, text)
        return prepare_record(0, text, read, rejected_key=rejected_key)

    def _content(self, identity: str, body: bytes, text: str) -> Content:
        try:
            body.decode()
        except UnicodeDecodeError as error:
            raise RejectionError("invalid_json", "not UTF-8", error.start) from None
        members = parse_object(text)
        return Content(self._key(members, identity), text, canonical(members))

    def _key(self, members: Mapping[str, object], identity: str) -> str:
        if not self.key_columns:
            check_key(identity)
            return identity
        make = key_of if self.target == RECORDS_TARGET else label_of
        return make(members, self.key_columns)


def _columns(record: PreparedRecord) -> RecordColumns:
    hashed = record.content_hash
    if not hashed and not record.rejection:
        # The payload is canonical as it stands.
        hashed = sha256(record.payload.encode()).digest()
    return RecordColumns(
        [record.key], [record.line], [record.payload], [hashed], [record.rejection]
    )
