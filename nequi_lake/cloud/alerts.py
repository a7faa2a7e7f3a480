"""Telling people that something failed, by a topic of SNS."""

from __future__ import annotations

from nequi_lake.lake.storage.aws import access

_SUBJECT_LENGTH = 100
_TEXT_BYTES = 250_000


def send(topic: str, subject: str, text: str) -> None:
    """Publish a message; long ones are cut to what SNS takes.

    Args:
        topic: ARN of the topic.
        subject: one line, of which SNS takes 100 characters of ASCII.
        text: what happened, where, and what to do.
    """
    plain = subject.encode("ascii", "replace").decode()[:_SUBJECT_LENGTH]
    cut = text.encode()[:_TEXT_BYTES].decode(errors="ignore")
    access().client("sns").publish(TopicArn=topic, Subject=plain, Message=cut)
