"""The address of an SQS queue."""

import pytest

from batching_demo.queue_servers.sqs_address import SqsAddress, SqsAddressError


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("sqs.eu-central-1.amazonaws.com", "eu-central-1"),
        ("sqs-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("sqs.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("eu-west-1.queue.amazonaws.com", "eu-west-1"),
        ("vpce-1-2.sqs.us-east-1.vpce.amazonaws.com", "us-east-1"),
        ("127.0.0.1:5000", None),
    ],
)
def test_the_host_names_the_region(host: str, region: str | None) -> None:
    address = SqsAddress.parse(f"sqs://{host}/123/orders.fifo")
    assert (address.region, address.is_fifo) == (region, True)
    assert address.url == f"https://{host}/123/orders.fifo"
    assert str(address) == f"sqs://{host}/123/orders.fifo"


def test_another_endpoint_takes_the_place_of_the_host() -> None:
    address = SqsAddress.parse("sqs://sqs.eu-west-1.amazonaws.com/123/orders", "http://local:1/")
    assert (address.url, address.region) == ("http://local:1/123/orders", "eu-west-1")


@pytest.mark.parametrize(
    "text",
    [
        "https://sqs.eu-central-1.amazonaws.com/123/orders",
        "sqs://sqs.eu-central-1.amazonaws.com/orders",
        "sqs://key:hunter2@sqs.eu-central-1.amazonaws.com/123/orders",
        "sqs://sqs.eu-central-1.amazonaws.com/123/orders?a=b",
        "sqs://sqs.eu-central-1.amazonaws.com/123/orders#part",
        "sqs://[::1/123/orders",
        "sqs://host:99999/123/orders",
        "sqs:///123/orders",
        "sqs://",
    ],
)
def test_anything_else_is_refused_without_its_secrets(text: str) -> None:
    with pytest.raises(SqsAddressError) as error:
        SqsAddress.parse(text)
    assert "hunter2" not in str(error.value)
    assert "address of a queue" in str(error.value)


@pytest.mark.parametrize(
    "url", ["localhost:5000", "ftp://host", "http://", "http://a b", "http://host:x", "http://[::1"]
)
def test_an_endpoint_is_a_url(url: str) -> None:
    with pytest.raises(SqsAddressError, match="--endpoint-url"):
        SqsAddress.parse("sqs://sqs.eu-central-1.amazonaws.com/123/orders", url)
