import pytest

from batching_demo.queue_servers.stream_address import (
    StreamAddress,
    StreamAddressError,
)


@pytest.mark.parametrize(
    ("text", "server", "queue", "place"),
    [
        (
            "redis://127.0.0.1:6380/0/orders",
            "redis://127.0.0.1:6380/0",
            "0/orders",
            "redis://127.0.0.1:6380/0/orders",
        ),
        ("redis://host/0/a%2F", "redis://host:6379/0", "0/a/", "redis://host:6379/0/a/"),
        ("redis://host/15/a/b:c", "redis://host:6379/15", "15/a/b:c", "redis://host:6379/15/a/b:c"),
        (
            "rediss://me:hunter2@host:1/0/o%20%C3%A9?ssl_ca_certs=/ca",
            "rediss://me:hunter2@host:1/0?ssl_ca_certs=/ca",
            "0/o é",
            "rediss://host:1/0/o%20%C3%A9",
        ),
        (
            "redis://:hunter2@[::1]:7/3/s",
            "redis://:hunter2@[::1]:7/3",
            "3/s",
            "redis://[::1]:7/3/s",
        ),
    ],
)
def test_an_address_is_read(text: str, server: str, queue: str, place: str) -> None:
    address = StreamAddress.parse(text)
    assert (address.server_url, address.queue, str(address)) == (server, queue, place)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("redis+sentinel://:hunter2@host/0/s", "Sentinel"),
        ("rediss+cluster://:hunter2@host/0/s", "cluster"),
        ("redis://me:hunter2@one:1,two:2/0/s", "several hosts"),
        ("redis://me:hunter2@host/orders", "number of the database"),
        ("redis://me:hunter2@host/0", "name of the stream"),
        ("redis://me:hunter2@host/0/", "name of the stream"),
        ("redis://me:hunter2@host/0/s/", "nothing else"),
        ("redis://me:hunter2@host/\u0663/s", "number of the database"),
        ("redis://me:hunter2@/0/s", "host"),
        ("redis://me:hunter2@host:hunter2/0/s", "port"),
        ("redis://me:hunter2@host/0/s#t", "name of the stream"),
        ("http://me:hunter2@host/0/s", "redis://"),
        ("hunter2", "redis://"),
        ("redis://me:hunter2@host/0/%00", "printable"),
        ("redis://me:hunter2@host/0/%ff", "printable"),
        ("redis://host/0/s?password=hunter2&db=3", "has the option 'db'"),
        ("redis://me:hunter2@host/0/s?socket_timeout=1", "has the option 'socket_timeout'"),
        ("redis://me:hunter2@host/0/s?decode_responses=1", "has the option 'decode_responses'"),
        (f"redis://me:hunter2@host/0/{'s' * 401}", "400 bytes"),
    ],
)
def test_what_is_no_address_is_refused_without_its_password(text: str, said: str) -> None:
    with pytest.raises(StreamAddressError, match=said) as refused:
        StreamAddress.parse(text)
    assert "hunter2" not in str(refused.value)
    assert refused.value.exit_code == 2
